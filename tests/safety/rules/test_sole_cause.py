"""Each rule of the shipped envelopes has a golden decision in which it alone makes the difference."""

import tomllib
from dataclasses import replace
from functools import cache

import pytest

from safety.decide import RUNG
from safety.envelope import Envelope
from safety.loading.spec import load_envelope
from safety.rules.base import Rule
from safety.rules.command_rules import Dwell, Permissive, RateWindow, Slew
from safety.tools.golden_cases import Case
from safety.values import Ruling
from tests.safety.support.golden import FOLDER, paths, read

# They shape the step, or refuse together with a wider rule: without them the same tick ends otherwise.
SHAPING = (Slew, Dwell, Permissive, RateWindow)
RUNG_OF = {rung: source for source, rung in RUNG.items()}
# Every value of this setpoint is inside its bound, which is there because every setpoint has one; T0 refuses the rest.
IDLE = {"CHILLERS-BOUND"}
BESIDE_ANOTHER = {"INLET-LOST", "ACCOUNT-LOST"}


@cache
def cases(site: str) -> tuple[Case, ...]:
    return tuple(read(path) for path in paths() if f'base = "{site}"' in FOLDER.text(path))


def envelope_of(site: str) -> Envelope:
    return load_envelope(FOLDER.sites / site / "envelope.toml")


def sole_causes(ruling: Ruling) -> set[str]:
    """Rules that alone refuse a source's proposal, which nothing else keeps from acting, or that alone remove a source."""
    able = (j for j in ruling.judgements if RUNG_OF[j.rung] not in ruling.removed)
    found = [{f.rule for f in ruling.state}, *({f.rule for f in j.verdict.findings if f.refuses} for j in able)]
    return {rule for rules in found if len(rules) == 1 for rule in rules}


def without(envelope: Envelope, rule: Rule) -> Envelope:
    return replace(
        envelope,
        command_rules=tuple(each for each in envelope.command_rules if each.id != rule.id),
        state_rules=tuple(each for each in envelope.state_rules if each.id != rule.id),
    )


@pytest.mark.parametrize("site", ["demo", "bidding-demo"])
def test_every_rule_is_the_sole_cause_in_some_golden_decision(site: str) -> None:
    envelope = envelope_of(site)
    alone: set[str] = set()
    for case in cases(site):
        alone |= sole_causes(case.ruling())
    for rule in envelope.rules:
        if isinstance(rule, SHAPING) or rule.id in BESIDE_ANOTHER:
            lifted = without(envelope, rule)
            if any(replace(case, envelope=lifted).seen() != case.expect for case in cases(site)):
                alone.add(rule.id)
    assert {rule.id for rule in envelope.rules} - alone - IDLE == set()


def test_every_vote_and_plausibility_decides_a_golden_decision() -> None:
    envelope = envelope_of("demo")
    for each in envelope.inputs:
        bare = replace(envelope, inputs=tuple(other for other in envelope.inputs if other is not each))
        assert any(replace(case, envelope=bare).seen() != case.expect for case in cases("demo")), each.id


def test_the_cases_are_those_of_the_envelope_as_it_ships() -> None:
    for site in ("demo", "bidding-demo"):
        assert {case.envelope.digest for case in cases(site)} == {envelope_of(site).digest}
        assert tomllib.loads((FOLDER.cases / "envelopes" / f"{site}.usual.toml").read_text())["signals"]
