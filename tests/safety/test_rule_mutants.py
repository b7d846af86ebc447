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


@pytest.mark.parametrize("site", ["demo", "bidding"])
def test_every_mutant_of_a_shipped_rule_file_is_caught(site: str) -> None:
    raw = tomllib.loads((SITES / site / "envelope.toml").read_text())
    shipped = build_envelope(EnvelopeModel.model_validate(raw))
    missed = []
    every = mutants(raw)
    for name, mutant in every:
        try:
            envelope = build_envelope(EnvelopeModel.model_validate(mutant))
        except (SpecError, ValueError):
            continue  # the loader itself refuses it
        if not difference(shipped, envelope, examples=False).rules or envelope.digest == shipped.digest:
            missed.append(name)
    assert len(every) > 50
    assert missed == []
