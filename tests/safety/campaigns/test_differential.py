"""The long comparison in small: it compares, it counts, and it notices."""

from dataclasses import replace

import pytest

from safety.decide import judge_plainly
from safety.forms.vectorised import margins
from safety.ramp import Ramped
from safety.rules.command_rules import Bound
from safety.values import Rung
from tests.safety.campaigns import differential
from tests.safety.campaigns.differential import compare, main, run
from tests.safety.support.boundary_cases import cases_of, envelope_of_some_kinds

KINDS = {
    "Bound",
    "Budget",
    "Dwell",
    "Interlock",
    "Permissive",
    "RateWindow",
    "Relation",
    "Slew",
    "SpendRate",
    "TrustRegion",
}


def test_a_few_envelopes_have_every_kind_and_every_form_agrees() -> None:
    mix = run(range(1, 9), batches=1, plain_every=40, processes=1)
    assert mix.wrong == []
    assert set(mix.kinds.values()) == KINDS
    assert 0.2 < mix.accepted / mix.cases < 0.8
    assert mix.left > 0.01 * mix.cases


def test_every_rule_is_the_sole_cause_of_a_refusal() -> None:
    assert compare(2, batches=10, plain_every=5000).idle() == []


def test_edges_are_met_to_the_bit_and_missed_by_it() -> None:
    envelope = envelope_of_some_kinds(3)
    cases = cases_of(envelope, 3, situations=100, per_situation=50)
    bound = next(rule for rule in envelope.command_rules if isinstance(rule, Bound) and rule.setpoint == "air")
    margin = margins(envelope, Rung.CANDIDATE, cases.batch)[bound.id]
    assert (margin == 0).any()
    assert ((margin < 0) & (margin > -1e-13)).any()
    assert ((margin > 0) & (margin < 1e-13)).any()


@pytest.mark.parametrize("alone", ["last", "reference"])
def test_what_is_lacking_is_lacking_in_every_form(alone: str) -> None:
    envelope = envelope_of_some_kinds(4)
    cases = cases_of(envelope, 4, situations=10, per_situation=10, alone=alone)
    many = margins(envelope, Rung.CANDIDATE, cases.batch)
    for at, (target, step, now) in enumerate(differential.each(cases)):
        assert (now.last if alone == "last" else now.reference) is None
        plain = judge_plainly(target, Ramped(step), Rung.CANDIDATE, now, envelope)
        for rule, margin in plain.margins.items():
            assert repr(float(many[rule][at])) == repr(margin) or float(many[rule][at]) == margin


def test_a_form_that_is_wrong_by_one_bit_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def wider(seed: int) -> object:
        envelope = envelope_of_some_kinds(seed)
        rules = tuple(
            replace(rule, high=rule.high + 1e-14) if rule.id == "AIR-BOUND" else rule for rule in envelope.command_rules
        )
        object.__setattr__(envelope, "compiled", replace(envelope, command_rules=rules).compiled)
        return envelope

    monkeypatch.setattr(differential, "envelope_of_some_kinds", wider)
    assert compare(1, batches=1, plain_every=1000).wrong


def test_the_command_fails_where_it_compared_too_little(capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--cases", "5000", "--envelopes", "1", "--processes", "1", "--plain-every", "1000"]
    assert main([*few, "--plain-least", "1000000"]) == 1
    printed = capsys.readouterr().out
    assert "< required (1000000): lower `--plain-every`" in printed
    assert "| compiled against vectorised | 5,000 |" in printed
