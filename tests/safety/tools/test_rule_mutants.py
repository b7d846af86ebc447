"""A slip in a shipped rule file (a limit moved, a comparator flipped, a rule deleted, a timer halved) is caught.

By the loader, which refuses it; by `diff`, with an example that one file accepts and the other refuses; or by a golden
decision that comes out differently. Where a rule only takes authority away or only counts time, `diff` names the rule and
requires two approvals. New sites and new rules are mutated as they come.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("z3")

from safety.envelope import Envelope
from safety.loading.spec import EnvelopeModel, build_envelope
from safety.proof.difference import accepted_only_by, difference
from safety.rules.base import CommandRule
from safety.tools.golden_cases import Case
from safety.values import Rung
from tests.paths import ROOT
from tests.safety.support.golden import FOLDER

FILES = sorted([*ROOT.glob("deploy/sites/*/envelope.toml"), *ROOT.glob("examples/*/site/envelope.toml")])
FLIPPED = {"<=": ">", "<": ">=", ">=": "<", ">": "<="}
CONDITIONS = ("when", "require")
# What z3 sees as a free variable, and what only memory knows: no example can show a change of these.
TIMED = ("window_s", "max_starts", "min_on_s", "min_off_s")


def mutants(raw: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(rule, what was done to it, the file with it): each rule deleted, and each of its parts changed once.

    The account's six campaigns have the same rules, each with golden decisions of its own; the last one's are mutated.
    """
    for at, rule in enumerate(raw["rule"]):
        if re.search("-C[0-4]\\b", rule["id"]):
            continue
        yield rule["id"], "deleted", {**raw, "rule": [other for other in raw["rule"] if other is not rule]}
        for what, changed in changes(rule):
            if all(rule.get(key) == value for key, value in changed.items()):
                continue  # nothing halved is nothing, and equal rates swapped are equal
            yield rule["id"], what, {**raw, "rule": [*raw["rule"][:at], {**rule, **changed}, *raw["rule"][at + 1 :]]}


def changes(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in rule.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            if key.endswith("_s"):
                yield f"{key} halved", {key: value / 2}
            else:
                yield f"{key} moved up", {key: value + 1}
                yield f"{key} moved down", {key: value - max(1, abs(value) // 10) if value >= 1 else value - 0.1}
        elif key in CONDITIONS:
            yield f"{key} flipped", {key: re.sub("<=|>=|<|>", lambda found: FLIPPED[found.group()], value, count=1)}
            yield f"{key} negated", {key: f"!({value})"}
        elif isinstance(value, str) and key in ("low", "high", "limit", "rise_per_s"):
            yield f"{key} moved up", {key: f"{value} + 1.0"}
    if rule["kind"] == "slew":
        swapped = {"up": rule.get("down"), "down": rule.get("up")}
        if "safe_direction" in rule:
            swapped["safe_direction"] = {"up": "down", "down": "up"}[rule["safe_direction"]]
        yield "directions swapped", swapped


def built(raw: dict[str, Any]) -> Envelope | None:
    """The envelope of a file, or None where the loader refuses it."""
    rules = [{key: value for key, value in rule.items() if value is not None} for rule in raw["rule"]]
    try:
        return build_envelope(EnvelopeModel.model_validate({**raw, "rule": rules}))
    except ValueError:
        return None


def shows(old: Envelope, new: Envelope) -> bool:
    """Whether `diff` has an example of a command that one of both refuses."""
    if (old.names, old.setpoints, old.signals) != (new.names, new.setpoints, new.signals):
        return False
    # One rung is enough, for every rule binds it; and one way, if that way shows it.
    return any(any(accepted_only_by(one, other, Rung.CANDIDATE, "")) for one, other in ((new, old), (old, new)))


@cache
def cases_of(site: str) -> tuple[Case, ...]:
    return tuple(FOLDER.read(path) for path in FOLDER.paths() if f'base = "{site}"' in FOLDER.text(path))


def differs(site: str, new: Envelope) -> bool:
    """Whether a golden decision of the site comes out differently under another envelope."""
    return any(replace(case, envelope=new).seen() != dict(case.expect) for case in cases_of(site))


def caught_by(site: str, old: Envelope, rule_id: str, raw: dict[str, Any]) -> str:
    """What catches one mutant."""
    new = built(raw)
    if new is None:
        return "loader"
    commands = isinstance(next(rule for rule in old.rules if rule.id == rule_id), CommandRule)
    if commands and shows(old, new):
        return "example"
    if differs(site, new):
        return "golden"
    named = difference(old, new, examples=False)
    if (
        new.digest != old.digest
        and any(f"rule `{rule_id}`" in change.says for change in named.rules)
        and named.approvals == 2
    ):
        return "named"
    return "nothing"


@pytest.mark.parametrize(
    "path", FILES, ids=lambda path: path.parents[0].name if "sites" in path.parts else path.parents[1].name
)
def test_every_mutant_of_a_shipped_rule_file_is_caught(path: Path) -> None:
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    site = path.parent.name
    shipped = built(raw)
    assert shipped is not None
    found = {(rule, what): caught_by(site, shipped, rule, mutant) for rule, what, mutant in mutants(raw)}
    counts = Counter(found.values())
    assert counts["nothing"] == 0, [key for key, by in found.items() if by == "nothing"]
    # A command rule that is deleted must be shown by an example or a decision.
    commanding = {rule.id for rule in shipped.command_rules}
    unseen = [key for key, by in found.items() if by == "named" and key[1] == "deleted" and key[0] in commanding]
    assert unseen == [], unseen
    # And what is named alone is timed, or moved to where the plant's own range ends before.
    by_name = [key for key, by in found.items() if by == "named" and key[0] in commanding]
    idle = [key for key in by_name if not key[1].startswith(TIMED) and "moved" not in key[1]]
    assert idle == [], idle


def elsewhere(raw: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every number and every text outside of the rules, once changed; every table but a setpoint once left out."""
    made = [(f"{key} moved", {**raw, key: value + 60}) for key, value in raw.items() if isinstance(value, int | float)]
    for table in ("setpoint", "signal", "plausibility", "vote", "failsafe"):
        for at, entry in enumerate(raw.get(table, [])):
            for key, value in entry.items():
                changed = _changed(key, value)
                if changed is not None:
                    entries = [*raw[table]]
                    entries[at] = {**entry, key: changed}
                    made.append((f"{table} {at} {key}", {**raw, table: entries}))
            if table != "setpoint":
                made.append((f"{table} {at} deleted", {**raw, table: raw[table][:at] + raw[table][at + 1 :]}))
    return made


def _changed(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        name = next(iter(value))
        return {**value, name: value[name] + 0.5}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value + 0.5
    if key in ("hazard", "basis"):
        return value + " and more"
    return {"high": "low", "low": "high"}.get(value) if key == "safe_side" else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_diff_names_every_change_outside_of_the_rules(path: Path) -> None:
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    shipped = built(raw)
    assert shipped is not None
    every = elsewhere(raw)
    assert len(every) > 10
    made = {name: built(mutant) for name, mutant in every}
    missed = [
        name for name, new in made.items() if new is not None and not difference(shipped, new, examples=False).rules
    ]
    assert missed == []


def test_unnoticed_mutant_is_reported() -> None:
    raw = tomllib.loads((ROOT / "deploy/sites/demo/envelope.toml").read_text(encoding="utf-8"))
    shipped = built(raw)
    assert shipped is not None
    assert caught_by("demo", shipped, shipped.rules[0].id, raw) == "nothing"
