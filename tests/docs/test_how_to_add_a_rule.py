"""The example rule of the how-to loads, the prover refutes it as printed there, and 22 C fixes it."""

import tomllib

import pytest

from safety.loading.spec import parse_envelope
from tests.docs.pages import ROOT, fences

PAGE = ROOT / "docs" / "how-to" / "add-a-rule.md"
DEMO = (ROOT / "deploy" / "sites" / "demo" / "envelope.toml").read_text()
RULE = next(fences(PAGE, "toml")).text


def test_the_rule_shown_loads_in_the_demo() -> None:
    shown = tomllib.loads(RULE)["rule"][0]["id"]
    assert shown in {rule.id for rule in parse_envelope(DEMO + "\n" + RULE).rules}


def test_prover_refutes_the_example_rule_and_proves_the_fix() -> None:
    pytest.importorskip("z3")
    from safety.proof.about_rules import last_resorts_stand

    with_the_rule = DEMO + "\n" + RULE
    (refuted,) = (each for each in last_resorts_stand(parse_envelope(with_the_rule)) if each.fails)
    assert f"refuted {refuted.name}: {refuted.says}: {refuted.detail}" in PAGE.read_text()
    fixed = with_the_rule.replace("vector = { supply_air_c = 21,", "vector = { supply_air_c = 22,")
    assert fixed != with_the_rule
    assert not any(each.fails for each in last_resorts_stand(parse_envelope(fixed)))
