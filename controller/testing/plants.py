"""What every `ports.Plant` must keep to, as suites a test class inherits.

`PlantContract` is for any plant, `SimulatedPlantContract` for one whose time the test advances and whose state is in a folder.

class TestMine(SimulatedPlantContract):
    period_us = 300_000_000
    def plant(self, folder: Path) -> Plant: ...
    def setpoints(self) -> Setpoints: ...
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any

from controller.ports import Outcome, Plant
from safety.values import Command, Observation, Quality, Rung, Setpoints


class PlantContract:
    """The port of any plant: a command stands until it expires, and each interval is reported once."""

    period_us: int

    def plant(self, folder: Path) -> Plant:
        """The plant that keeps its state in `folder`: at the start of a run, or as it was left there. Closed by the suite."""
        raise NotImplementedError

    def setpoints(self) -> Setpoints:
        """A command that the plant can follow and that differs from what it does by itself."""
        raise NotImplementedError

    def pass_time(self, plant: Plant, us: int) -> None:
        """Let plant time pass; a plant that keeps its own time does it here."""
        plant.advance(plant.observe().taken_at + us)

    @contextmanager
    def opened(self, folder: Path) -> Iterator[Plant]:
        """A plant in `folder` for as long as the block lasts."""
        plant = self.plant(folder)
        try:
            yield plant
        finally:
            close = getattr(plant, "close", None)
            if close is not None:
                close()

    def commanded(self, plant: Plant, *, epoch: int = 1, periods: int = 3) -> Command:
        """Command `setpoints` for so many periods; return the command."""
        command = Command(self.setpoints(), Rung.INCUMBENT, periods * self.period_us, epoch)
        assert plant.apply(command, decision="told").accepted
        return command

    def test_looking_changes_nothing(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as plant:
            assert plain(plant.observe()) == plain(plant.observe())

    def test_observation_names_its_plant_and_gives_each_signals_quality(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as plant:
            seen = plant.observe()
        assert seen.plant == plant.name
        assert seen.signals
        for name, signal in seen.signals.items():
            assert isfinite(signal.value) or signal.quality is not Quality.GOOD, name
            assert signal.age_us >= 0, name

    def test_nothing_is_in_force_before_the_first_command(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as plant:
            assert plant.observe().applied is None

    def test_an_applied_command_is_in_force(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as plant:
            receipt = plant.apply(Command(self.setpoints(), Rung.INCUMBENT, self.period_us, 1), decision="d")
            assert (receipt.decision, receipt.accepted) == ("d", True)
            assert receipt.at == plant.observe().taken_at
            assert dict(receipt.applied or {}) == dict(plant.observe().applied or {}) == dict(self.setpoints())

    def test_a_command_runs_out(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as plant:
            self.commanded(plant, periods=2)
            self.pass_time(plant, self.period_us)
            assert plant.observe().applied is not None
            self.pass_time(plant, self.period_us)
            assert plant.observe().applied is None

    def test_it_can_be_given_back(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as plant:
            self.commanded(plant)
            receipt = plant.apply(Command({}, Rung.RELINQUISH, self.period_us, 1), decision="given back")
            assert receipt.accepted
            assert plant.observe().applied is None

    def test_a_process_that_was_replaced_is_refused_and_changes_nothing(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as plant:
            command = self.commanded(plant, epoch=5)
            receipt = plant.apply(Command({}, Rung.RELINQUISH, self.period_us, 4), decision="late")
            assert not receipt.accepted
            assert receipt.detail
            assert dict(plant.observe().applied or {}) == dict(command.setpoints)

    def test_outcomes_join_and_no_interval_is_counted_twice(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as plant:
            outcomes = [plant.outcome()]
            for _ in range(3):
                self.commanded(plant)
                self.pass_time(plant, self.period_us)
                outcomes.append(plant.outcome())
            again = plant.outcome()
        assert [one.to_us for one in outcomes[:-1]] == [one.from_us for one in outcomes[1:]]
        assert [one.to_us - one.from_us for one in outcomes[1:]] == [self.period_us] * 3
        assert (again.to_us - again.from_us, again.cost, again.breach_s) == (0, 0.0, 0.0)
        assert set(again.guards.values()) <= {0.0}

    def test_outcomes_match_the_declaration(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as plant:
            declared, outcomes = plant.outcome_spec, []
            for _ in range(3):
                self.pass_time(plant, self.period_us)
                outcomes.append(plant.outcome())
            assert plant.outcome_spec == declared
        guards, covariates = [q.name for q in declared.guards], [q.name for q in declared.covariates]
        assert [(list(one.guards), list(one.covariates)) for one in outcomes] == [(guards, covariates)] * 3

    def test_every_declared_quantity_has_a_label(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as plant:
            spec = plant.outcome_spec
        assert all(quantity.label for quantity in (spec.cost, *spec.guards, *spec.covariates))


class SimulatedPlantContract(PlantContract):
    """A simulated plant: its time passes only in `advance`, and a killed process resumes to the bit."""

    def test_it_says_that_it_is_simulated(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as plant:
            assert plant.simulated

    def test_time_advances_as_requested_and_never_runs_back(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as plant:
            began_us = plant.observe().taken_at
            plant.advance(began_us + 2 * self.period_us)
            plant.advance(began_us + self.period_us)
            assert plant.observe().taken_at == began_us + 2 * self.period_us

    def test_the_same_commands_give_the_same_bits(self, tmp_path: Path) -> None:
        runs = []
        for name in ("one", "other"):
            with self.opened(_made(tmp_path / name)) as plant:
                runs.append([self._period(plant, tell=period != 2) for period in range(5)])
        assert runs[0] == runs[1]

    def test_circumstances_are_not_the_controllers_doing(self, tmp_path: Path) -> None:
        seen = []
        for tell in (True, False):
            with self.opened(_made(tmp_path / str(tell))) as plant:
                seen.append([dict(self._period(plant, tell=tell)[1].covariates) for _ in range(4)])
        assert seen[0] == seen[1]

    def test_a_command_makes_a_difference(self, tmp_path: Path) -> None:
        cost = []
        for tell in (True, False):
            with self.opened(_made(tmp_path / str(tell))) as plant:
                cost.append([self._period(plant, tell=tell)[1].cost for _ in range(4)])
        assert cost[0] != cost[1]

    def test_a_plant_reopened_at_any_period_continues_to_the_bit(self, tmp_path: Path) -> None:
        with self.opened(_made(tmp_path / "whole")) as plant:
            whole = [self._period(plant, tell=True) for _ in range(6)]
        pieces = []
        for _ in range(3):
            with self.opened(_made(tmp_path / "pieces")) as plant:
                pieces += [self._period(plant, tell=True) for _ in range(2)]
        assert pieces == whole

    def test_an_unfinished_period_runs_again_after_a_kill(self, tmp_path: Path) -> None:
        with self.opened(_made(tmp_path / "whole")) as plant:
            whole = [self._period(plant, tell=True) for _ in range(3)]
        with self.opened(_made(tmp_path / "killed")) as plant:
            pieces = [self._period(plant, tell=True) for _ in range(2)]
            plant.outcome()
            self.commanded(plant)  # and then it is gone
        with self.opened(tmp_path / "killed") as plant:
            pieces.append(self._period(plant, tell=True))
        assert pieces == whole

    def _period(self, plant: Plant, *, tell: bool) -> tuple[dict[str, Any], Outcome]:
        """One period as the loop runs it: observe, read the last outcome, command, advance."""
        seen, outcome = plain(plant.observe()), plant.outcome()
        if tell:
            self.commanded(plant)
        plant.advance(plant.observe().taken_at + self.period_us)
        return seen, outcome


def plain(seen: Observation) -> dict[str, Any]:
    """An observation's content, whatever kind of mapping it came in."""
    return {
        "taken_at": seen.taken_at,
        "signals": {name: (signal.value.hex(), signal.quality, signal.age_us) for name, signal in seen.signals.items()},
        "applied": None if seen.applied is None else dict(seen.applied),
        "readback": None if seen.readback is None else dict(seen.readback),
    }


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
