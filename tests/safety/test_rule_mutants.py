"""Every mutant of the shipped rule files (limit moved, comparator flipped, rule deleted) is caught by `diff`."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("z3")

from safety.proof.difference import difference
from safety.spec import EnvelopeModel, SpecError, build_envelope

SITES = Path(__file__).resolve().parents[2] / "deploy" / "sites"
FLIPPED = {"<=": ">", "<": ">=", ">=": "<", ">": "<="}


def mutants(raw: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Each rule once deleted, each number once moved, each comparator once flipped."""
    made = []
    for at, rule in enumerate(raw["rule"]):
        others = [other for other in raw["rule"] if other is not rule]
        made.append((f"{rule['id']} deleted", {**raw, "rule": others}))
        for key, value in rule.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                moved = [*raw["rule"]]
                moved[at] = {**rule, key: value + 1}
                made.append((f"{rule['id']} {key} moved", {**raw, "rule": moved}))
            elif key in ("when", "require"):
                flipped = re.sub("<=|>=|<|>", lambda found: FLIPPED[found.group()], value, count=1)
                moved = [*raw["rule"]]
                moved[at] = {**rule, key: flipped}
                made.append((f"{rule['id']} {key} flipped", {**raw, "rule": moved}))
    return made


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


@pytest.mark.parametrize("site", ["demo", "bidding", "bidding-demo"])
def test_every_mutant_of_a_shipped_rule_file_is_caught(site: str) -> None:
    raw = tomllib.loads((SITES / site / "envelope.toml").read_text())
    shipped = build_envelope(EnvelopeModel.model_validate(raw))
    missed = []
    every = mutants(raw) + elsewhere(raw)
    for name, mutant in every:
        try:
            envelope = build_envelope(EnvelopeModel.model_validate(mutant))
        except (SpecError, ValueError):
            continue  # the loader itself refuses it
        if not difference(shipped, envelope, examples=False).rules or envelope.digest == shipped.digest:
            missed.append(name)
    assert len(every) > 50
    assert missed == []
