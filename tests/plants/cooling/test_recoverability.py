"""What the recoverability rules accept, the incumbent brings back in time; without them it would not."""

import numpy as np
import pytest

from controller.plants.cooling.recoverability import ENVELOPE, Swept, passing_rises, sweep
from controller.plants.cooling.steady_state_sim import HOT, Starts
from safety.envelope import Envelope
from safety.loading.spec import load_envelope
from safety.rules.state_rules import Recoverability
from tests.safety.support.golden import CASES

HARD_C = 32.0
EDGE = Starts(it_kw=(150.0, 235.0), weather=(HOT,), fan_frac=(0.55, 0.75), supply_c=(18.0, 22.0), water=((11.0, 2.0),))


@pytest.fixture(scope="module")
def envelope() -> Envelope:
    return load_envelope(CASES.parents[1] / ENVELOPE)


@pytest.fixture(scope="module")
def with_rules(envelope: Envelope) -> Swept:
    return sweep(envelope, EDGE, with_rules=True)


def test_incumbent_two_periods_late_still_keeps_the_hard_limit(with_rules: Swept) -> None:
    assert with_rules.counted.sum() > 20
    assert np.max(with_rules.worst_c[with_rules.counted]) <= HARD_C


def test_the_sweep_goes_to_the_edge_of_the_rule(with_rules: Swept) -> None:
    assert np.nanmax(with_rules.taken_c[with_rules.counted]) > HARD_C - 2.5


def test_with_the_trips_alone_the_limit_would_be_broken(envelope: Envelope) -> None:
    without = sweep(envelope, EDGE, with_rules=False)
    assert np.max(without.worst_c[without.counted]) > HARD_C + 1.0


def test_envelope_rise_exceeds_every_rise_of_the_plant(
    envelope: Envelope,
) -> None:
    it_kw, fan, now_c, _ = passing_rises(envelope, Starts(weather=(HOT,)), HARD_C).T
    assert len(it_kw) > 100
    rules = [rule for rule in envelope.state_rules if isinstance(rule, Recoverability)]
    assert len(rules) == 4
    for rule in rules:
        horizon_s, terms = rule.horizon_us / 1e6, dict(rule.rise.terms)
        (of_kw,) = (value for name, value in terms.items() if name.startswith("it_"))
        (of_fan,) = (value for name, value in terms.items() if name.startswith("fan_"))
        rise_k = horizon_s * (rule.rise.constant + of_kw * it_kw + of_fan * fan)
        assert np.min(now_c + rise_k) > HARD_C
