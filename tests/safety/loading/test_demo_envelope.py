"""The envelope that ships with the demo: it loads, and its last resort stands whatever the weather."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from safety.loading.spec import load_envelope
from safety.loading.when import names_in
from safety.rules.base import Situation
from safety.rules.command_rules import Interlock, Slew
from safety.values import Signal, Source, Tier
from tests.paths import ROOT
from tests.safety.support.seeded import seeded

ENVELOPE = load_envelope(ROOT / "deploy" / "sites" / "demo" / "envelope.toml")
FULL_AIR = ENVELOPE.failsafe[0].vector


@seeded(100)
@given(st.data())
def test_the_last_resort_breaks_no_interlock_anywhere_in_the_domain(data: st.DataObject) -> None:
    signals = {spec.name: Signal(data.draw(st.floats(spec.low, spec.high))) for spec in ENVELOPE.signals}
    assert_stands(signals)


def test_the_last_resort_breaks_no_interlock_at_any_corner() -> None:
    protecting = [rule for rule in ENVELOPE.command_rules if rule.tier <= Tier.T2 and isinstance(rule, Interlock)]
    looked_up = {name for rule in protecting for name in names_of(rule)}
    specs = [spec for spec in ENVELOPE.signals if spec.name in looked_up]
    assert len(specs) == 8
    for corner in product(*((spec.low, spec.high) for spec in specs)):
        assert_stands({spec.name: Signal(value) for spec, value in zip(specs, corner, strict=True)})


def names_of(rule: Interlock) -> set[str]:
    named = set() if rule.when is None else set(names_in(rule.when))
    return named | {name for limit in (rule.low, rule.high) if limit is not None for name, _ in limit.terms}


def test_the_last_resort_stands_when_nothing_is_known() -> None:
    assert_stands({})


def assert_stands(signals: dict[str, Signal]) -> None:
    assert FULL_AIR is not None
    now = Situation(signals, None, None, 0.0, {})
    for rule in ENVELOPE.command_rules:
        if rule.tier <= Tier.T2:
            assert rule.margin(FULL_AIR, now) >= 0, rule.id


def test_every_continuous_setpoint_slews() -> None:
    slewed = {rule.setpoint for rule in ENVELOPE.command_rules if isinstance(rule, Slew)}
    assert slewed == {spec.name for spec in ENVELOPE.setpoints if spec.values is None}


def test_a_trip_takes_the_plant_from_the_policy_alone() -> None:
    trips = [rule for rule in ENVELOPE.state_rules if rule.latching]
    assert len(trips) == 9  # allowable and recommended band of four zones, and the flow
    assert all(rule.removes == (Source.CANDIDATE,) for rule in trips)
