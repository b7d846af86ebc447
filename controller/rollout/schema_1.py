"""`rollout.toml` of schema version 1: what its keys are called now, and the digest that named a specification then."""

import hashlib
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

RENAMED = {"energy_clip_frac": "cost_clip_frac", "quality_clip_degree_minutes": "guard_clips.GUARD"}
REMOVED = (
    {"kind": "instant", "cause": "integrity_mismatch", "in_a_row": 1, "critical": True},
    {"kind": "instant", "cause": "policy_dead", "in_a_row": 1, "critical": False},
)
"""Breakers of the shipped sites whose causes nothing produced; version 2 does not know them."""
REFUSAL = (
    "written in the keys of schema version 1: set `schema_version = 2`, "
    + "".join(f"rename `outcome.{old}` to `outcome.{new}`, " for old, new in RENAMED.items())
    + 'write `metric = "cost"` for `"energy"` and `metric = "GUARD"` for `"quality"` (GUARD: name of the guard)'
)


def is_schema_1(plain: dict[str, Any]) -> bool:
    """Whether parsed TOML says so or has one of its keys."""
    outcome = plain.get("outcome")
    return plain.get("schema_version") == 1 or (isinstance(outcome, dict) and not RENAMED.keys().isdisjoint(outcome))


def digests_of(plain: dict[str, Any]) -> frozenset[str]:
    """The digests that the specification `plain`, as it is dumped today, may have had in the keys of schema version 1.

    That version had room for one guard: without a guard or with several the result is empty. It could declare the breakers of
    `REMOVED`, which nothing ever tripped, at any place of its list.
    """
    if len(plain["outcome"]["guard_clips"]) != 1:
        return frozenset()
    [(guard, clip)] = plain["outcome"]["guard_clips"].items()
    metrics = {"cost": "energy", guard: "quality"}
    outcome = {**plain["outcome"], "guard_clips": clip}
    keys = {new.partition(".")[0]: old for old, new in RENAMED.items()}
    former = {
        **plain,
        "schema_version": 1,
        "outcome": {keys.get(key, key): value for key, value in outcome.items()},
        "stages": [
            {**stage, "checks": [_check(check, metrics) for check in stage["checks"]]} for stage in plain["stages"]
        ],
    }
    lists = _with_removed(plain["breakers"])
    return frozenset(hashlib.sha256(to_json({**former, "breakers": each})).hexdigest() for each in lists)


def _with_removed(breakers: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The list of breakers without and with each removed one, at every place."""
    lists = [list(breakers)]
    for removed in REMOVED:
        lists += [[*each[:at], removed, *each[at:]] for each in lists for at in range(len(each) + 1)]
    return lists


def _check(check: dict[str, Any], metrics: dict[str, str]) -> dict[str, Any]:
    return {**check, "metric": metrics[check["metric"]]} if "metric" in check else check
