"""A killed control process continues to the same result.

One that is started with another candidate keeps the plant's state and drops the evidence of the earlier candidate.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller import bootstrap
from controller.loop.parts import Tick, Watcher
from controller.rollout.state import RolloutStatus
from simulators.cooling.world.faults import Fault
from tests.loop.loop_fixture import site_copy
from tests.loop.scripted_candidates import Killed, Operator, hall, in_charge, play, second

FAULTS = (Fault("fan_lost", 900.0, 1500.0, 0.6, zone=2),)
TICKS = 9


def killed() -> None:
    raise Killed


class Mortal(Watcher):
    """Kills the process once a decision of a stated time has been saved and sent."""

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s

    def decided(self, tick: Tick) -> None:
        if second(tick.decision) == self.at_s:
            raise Killed


def story(running: bootstrap.ControlSystem) -> list[Any]:
    """All that must be equal: observations, proposals, assignments with reasons, outcomes, and the report.

    The process may differ, and so may the division of time that no guard saw.
    """
    made = sorted(running.spool.recent(100), key=second)
    decided = [
        (d.observation, d.proposals, d.assignment, d.judged, d.chosen, d.command.setpoints, d.removed, d.memory_after)
        for d in made
    ]
    return [decided, running.report(), running.spool.verify().ok]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """A run with the candidate in charge, in which a guard takes the plant from it within a period."""
    with hall(tmp_path_factory.mktemp("undisturbed"), faults=FAULTS) as running:
        decisions = play(running, TICKS)
        assert [second(d) for d in decisions if second(d) % 300.0] == [930.0]
        return story(running)


@pytest.mark.parametrize("at_s", [30, 900, 930, 1050, 1080, 1170, 1200])
def test_run_killed_at_any_moment_continues_to_the_same_result(
    at_s: int, tmp_path: Path, undisturbed: list[Any]
) -> None:
    with hall(tmp_path, faults=FAULTS) as running, pytest.raises(Killed):
        play(running, TICKS, {at_s * 1_000_000: killed})
    with hall(tmp_path, faults=FAULTS, driving=False) as running:
        play(running, ticks_left(running))
        assert story(running) == undisturbed


@pytest.mark.parametrize("at_s", [900.0, 930.0])
def test_decision_killed_before_acknowledgement_is_recorded_once(
    at_s: float, tmp_path: Path, undisturbed: list[Any]
) -> None:
    with hall(tmp_path, faults=FAULTS) as running:
        running.loop.parts = replace(running.loop.parts, watchers=(Mortal(at_s),))
        with pytest.raises(Killed):
            play(running, TICKS)
    with hall(tmp_path, faults=FAULTS, driving=False) as running:
        assert second(running.spool.recent(1)[0]) == at_s
        play(running, ticks_left(running))
        assert story(running) == undisturbed


def ticks_left(running: bootstrap.ControlSystem) -> int:
    return TICKS - (running.plant.observe().taken_at - running.loaded.site.start_us) // 300_000_000


class TestAnotherCandidate:
    """The same state directory, another bundle."""

    @pytest.fixture
    def before(self, tmp_path: Path) -> tuple[Path, bootstrap.ControlSystem]:
        with hall(tmp_path / "state") as running:
            Operator(running).does("override", setpoints={"supply_air_c": 19.2}, scope="standing", for_s=86_400.0)
            play(running, 4)
        return tmp_path / "state", running

    @pytest.fixture
    def swapped(self, tmp_path: Path) -> Path:
        """The demo with a retrained bundle under the same name."""
        site = site_copy(tmp_path)
        shutil.rmtree(site / "bundles" / "candidate")
        shutil.copytree(site / "bundles" / "stuck", site / "bundles" / "candidate")
        return site

    def test_new_candidate_begins_in_shadow_without_earlier_evidence(
        self, before: tuple[Path, bootstrap.ControlSystem], swapped: Path
    ) -> None:
        state, old = before
        assert old.loop.state.evidence.tally.ticks == 4
        with hall(state, site=swapped, driving=False) as running:
            fresh = running.loop.state
            assert fresh.evidence.bundle == running.loaded.bundle.digest != old.loaded.bundle.digest
            assert fresh.evidence.tally.ticks == 0
            assert (fresh.rollout.status, fresh.rollout.stage, fresh.rollout.entry) == (RolloutStatus.RUNNING, 0, 0)
            assert fresh.rollout.rollout_id != old.loop.state.rollout.rollout_id
            assert {d.assignment.stage for d in play(running, 3)} == {"shadow"}
            assert running.loop.state.evidence.tally.ticks == 3

    def test_new_candidate_keeps_plant_trips_and_drops_candidate_trips(self, tmp_path: Path, swapped: Path) -> None:
        lost = Fault("valve_stuck", 900.0, 1500.0, 1.0, zone=1)
        with hall(tmp_path / "state", faults=(lost,)) as running:
            play(running, 8)
            latches = running.loop.state.memory.latches
            assert latches
        with hall(tmp_path / "state", site=swapped, driving=False) as running:
            assert running.loop.state.memory.latches == latches
            assert running.loop.state.rollout.trip is None
            in_charge(running)
            assert {d.command.rung.value for d in play(running, 2)} == {"incumbent"}

    def test_new_candidate_keeps_plant_memory_incumbent_state_and_override(
        self, before: tuple[Path, bootstrap.ControlSystem], swapped: Path
    ) -> None:
        state, old = before
        with hall(state, site=swapped, driving=False) as running:
            now, then = running.loop.state, old.loop.state
            last = running.spool.recent(1)[0]
            assert now.memory == last.memory_after
            assert now.memory.last == then.memory.last is not None
            assert now.incumbent == then.incumbent
            assert now.override == then.override is not None
            assert now.counters == then.counters
            first, *_ = play(running, 1)
            assert first.memory_before.last == then.memory.last
            assert first.command.rung.value == "operator"

    def test_the_same_candidate_keeps_all_it_has_earned(self, before: tuple[Path, bootstrap.ControlSystem]) -> None:
        state, old = before
        with hall(state, driving=False) as running:
            assert without_memory(running) == without_memory(old)


def without_memory(running: bootstrap.ControlSystem) -> Mapping[str, Any]:
    state = running.loop.state
    return {name: getattr(state, name) for name in ("rollout", "evidence", "override", "counters", "incumbent")}
