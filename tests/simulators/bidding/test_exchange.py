"""One account behind named signals and setpoints."""

import re

import numpy as np
import pytest

from simulators.bidding.world.signals import Exchange, setpoint_specs, signal_specs


def test_every_signal_has_a_spec_and_lies_within_it() -> None:
    exchange = Exchange("mixed", 3, 2)
    specs = {s.name: s for s in signal_specs(2)}
    for _ in range(6):
        signals = exchange.signals()
        assert list(signals) == list(specs)
        for name, value in signals.items():
            assert specs[name].low <= value <= specs[name].high, name
        exchange.advance({"multiplier_c0": 1.0, "multiplier_c1": 0.5})


def test_money_signals_add_up_to_the_budget() -> None:
    exchange = Exchange("mixed", 3, 1)
    for _ in range(4):
        exchange.advance({"multiplier_c0": 2.0})
    s = exchange.signals()
    parts = s["available_micros_c0"] + s["reserved_micros_c0"] + s["spent_micros_c0"]
    assert parts == s["budget_micros_c0"]
    assert s["wins_c0"] > 0


def test_names_and_units_are_unique_and_spelled_alike() -> None:
    names = [s.name for s in (*signal_specs(3), *setpoint_specs(3))]
    assert len(names) == len(set(names))
    for spec in signal_specs(1):
        assert not spec.name.removesuffix("_c0").endswith("_micros") or spec.unit == "micros"
        assert not spec.name.removesuffix("_c0").endswith("_frac") or spec.unit == "frac"


def test_a_restored_exchange_goes_on_bit_for_bit() -> None:
    first = Exchange("shocks", 9, 2)
    row = {"multiplier_c0": 0.7, "multiplier_c1": 1.4}
    for _ in range(5):
        first.advance(row)
    second = Exchange.restore(first.save())
    for _ in range(5):
        first.advance(row)
        second.advance(row)
    assert first.signals() == second.signals()
    assert np.array_equal(first.state.total, second.state.total)


def test_a_flight_ends_after_a_day() -> None:
    exchange = Exchange("mixed", 1, 1)
    for _ in range(48):
        assert not exchange.over
        exchange.advance({"multiplier_c0": 0.1})
    assert exchange.over
    assert exchange.tick_s * 48 == 86_400


@pytest.mark.parametrize("given", [{}, {"multiplier_c0": 1.0, "other": 1.0}])
def test_only_the_exact_setpoints_are_taken(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=re.escape(str(sorted(given)))):
        Exchange("mixed", 1, 1).advance(given)


@pytest.mark.parametrize("data", [b"", b"{}\n", b'{"scenario": "mixed", "seed": 1, "campaigns": 1}\nrubbish'])
def test_malformed_exchange_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a saved"):
        Exchange.restore(data)
