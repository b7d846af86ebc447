"""Trim-and-respond and the fixed setting keep to the incumbent's contract, whichever controller drives."""

from dataclasses import replace

import numpy as np

from controller.plants.cooling.incumbent import FixedIncumbent, TrimAndRespond
from controller.ports import Incumbent
from controller.testing.policies import IncumbentContract
from safety.values import Observation, Setpoints, Signal, Status
from simulators.cooling.controllers.incumbents import TrimConfig, trim_and_respond, trim_start
from simulators.cooling.world.signals import setpoint_specs, signal_specs

NAMES = [spec.name for spec in setpoint_specs(4)]
START = dict(zip(NAMES, [20.0, 0.6, 0.6, 0.6, 0.6, 10.0, 20.0, 1.0], strict=True))
OTHER = START | {"supply_air_c": 19.0, "chillers_on": 2.0}


def seen(taken_at: int, *, load: float = 0.5) -> Observation:
    """The middle of every signal's range, drifting with time."""
    signals = {
        spec.name: Signal(spec.low + (spec.high - spec.low) * (load + 0.01 * (taken_at % 7)))
        for spec in signal_specs(4)
    }
    return Observation("hall", "", taken_at, signals, applied=START)


class TestTrimAndRespond(IncumbentContract):
    def incumbent(self) -> Incumbent:
        return TrimAndRespond(4)

    def observation(self, taken_at: int) -> Observation:
        return seen(taken_at)

    def applied(self) -> Setpoints:
        return OTHER


class TestFixedIncumbent(IncumbentContract):
    def incumbent(self) -> Incumbent:
        return FixedIncumbent(START)

    def observation(self, taken_at: int) -> Observation:
        return seen(taken_at)

    def applied(self) -> Setpoints:
        return OTHER


def test_it_is_the_batched_control_law() -> None:
    incumbent, memory = TrimAndRespond(4), {}
    batch = trim_start(np.array([list(START.values())]), TrimConfig())
    for tick in range(5):
        proposal, memory = incumbent.propose(seen(tick), memory)  # type: ignore[assignment]
        row = np.array([[signal.value for signal in seen(tick).signals.values()]])
        wanted, batch = trim_and_respond(row, batch, TrimConfig())
        assert list(proposal.targets.values()) == wanted[0].tolist()


def test_following_its_own_command_changes_nothing() -> None:
    incumbent = TrimAndRespond(4)
    proposal, memory = incumbent.propose(seen(0), incumbent.fresh)
    assert incumbent.track(memory, proposal.targets) == memory


def test_it_takes_over_from_where_another_has_driven_the_plant() -> None:
    incumbent = TrimAndRespond(4)
    _, memory = incumbent.propose(seen(0), incumbent.fresh)
    proposal, _ = incumbent.propose(seen(0), incumbent.track(memory, OTHER))
    assert abs(proposal.targets["supply_air_c"] - OTHER["supply_air_c"]) <= 1.0


def test_another_driving_does_not_hasten_its_staging() -> None:
    incumbent, memory = TrimAndRespond(4), {}
    for tick in range(3):
        _, memory = incumbent.propose(seen(tick), memory)  # type: ignore[assignment]
        memory = incumbent.track(memory, OTHER)  # type: ignore[assignment]
    assert memory["since_stage"] == [2.0]


def test_a_lost_sensor_is_a_status_not_a_guess() -> None:
    incumbent = TrimAndRespond(4)
    whole = seen(0)
    blind = replace(whole, signals={name: s for name, s in whole.signals.items() if name != "inlet_z1_c"})
    proposal, memory = incumbent.propose(blind, incumbent.fresh)
    assert (proposal.status, dict(proposal.targets)) == (Status.FAILED, {})
    assert "inlet_z1_c" in proposal.detail
    assert memory == incumbent.fresh
