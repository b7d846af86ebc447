"""`rollout.toml` of schema version 1: what its keys are called now, and the digest that named a specification then."""

import hashlib
from typing import Any

from pydantic_core import to_json

RENAMED = {"energy_clip_frac": "cost_clip_frac", "quality_clip_degree_minutes": "guard_clips.GUARD"}
REFUSAL = (
    "written in the keys of schema version 1: set `schema_version = 2`, "
    + "".join(f"rename `outcome.{old}` to `outcome.{new}`, " for old, new in RENAMED.items())
    + 'write `metric = "cost"` for `"energy"` and `metric = "GUARD"` for `"quality"` (GUARD: name of the guard)'
)


def is_schema_1(plain: dict[str, Any]) -> bool:
    """Whether parsed TOML says so or has one of its keys."""
    outcome = plain.get("outcome")
    return plain.get("schema_version") == 1 or (isinstance(outcome, dict) and not RENAMED.keys().isdisjoint(outcome))


def digest_of(plain: dict[str, Any]) -> str:
    """The digest that the specification `plain`, as it is dumped today, had in the keys of schema version 1.

    That version had room for one guard. Empty without a guard or with several: no specification of it was the same.
    """
    if len(plain["outcome"]["guard_clips"]) != 1:
        return ""
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
    return hashlib.sha256(to_json(former)).hexdigest()


def _check(check: dict[str, Any], metrics: dict[str, str]) -> dict[str, Any]:
    return {**check, "metric": metrics[check["metric"]]} if "metric" in check else check
