"""Novelty and votes in the running loop: measured once, recorded, judged from the record, and gone with a restart's memory."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from controller import bootstrap
from controller.loop.guarding import aged
from controller.policies.novelty import SIGNAL, NoveltyMeter
from controller.records.decision import Decision, proposers_view
from controller.records.replay import replay
from safety.values import Observation, Proposal, Rung, Signal, Source
from tests.loop.loop_fixture import in_charge, run_ticks, system
from tests.loop.scripted_candidates import hall, play, second

Run = tuple[bootstrap.ControlSystem, list[Decision]]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """An hour of the shipped candidate in charge."""
    with system(tmp_path_factory.mktemp("shipped")) as running:
        in_charge(running)
        yield running, run_ticks(running, 12)


def test_each_decision_records_the_novelty_it_was_judged_by(shipped: Run) -> None:
    running, decisions = shipped
    meter = NoveltyMeter(running.loaded.bundle.manifest)
    assert len(decisions) >= 12
    for decision in decisions:
        proposal = next(p for p in decision.proposals if p.source is Source.CANDIDATE)
        again = meter(proposers_view(decision, running.loaded.envelope), proposal)
        assert SIGNAL not in decision.observation.signals
        assert decision.measured.keys() == again.keys() == {SIGNAL}
        assert decision.measured[SIGNAL].value.hex() == again[SIGNAL].value.hex()


def test_recorded_decision_replays_without_measuring_novelty_again(shipped: Run) -> None:
    running, decisions = shipped
    for decision in decisions:
        again = replay(decision, running.loaded.envelope, running.loaded.kernel_digest)
        assert again.agrees, again.differences


def test_the_guard_knows_the_novelty_of_the_command_in_force(shipped: Run) -> None:
    """Or it would call for a decision every half minute, for want of a signal that no plant sends."""
    running, _ = shipped
    assert running.loop.state.counters.guard_decisions == 0


def test_what_is_permitted_follows_from_voted_signals(tmp_path: Path) -> None:
    """The dew point's own column is one sensor's; the limit is that of the vote."""
    seen: list[Observation] = []

    def wants(observation: Observation) -> Mapping[str, float]:
        seen.append(observation)
        return {}

    with hall(tmp_path, wants, driving=False) as running:
        (decision, *_) = play(running, 1)
        view = proposers_view(decision, running.loaded.envelope)
    dew_c = view.signals["room_dew_point_c"].value
    sensors = sorted(decision.observation.signals[f"room_dew_point_s{i}_c"].value for i in (1, 2, 3))
    assert dew_c == sensors[1]
    assert seen[0].signals["room_dew_point_c"].value == dew_c
    assert seen[0].permitted["supply_air_c"].low == max(16.0, dew_c + 1.0)


@pytest.mark.parametrize("measured", [{}, {SIGNAL: Signal(1.01)}, {SIGNAL: Signal(float("nan"))}])
def test_novel_or_unknown_situation_reverts_the_tick_without_a_latch(
    tmp_path: Path, measured: Mapping[str, Signal]
) -> None:
    def meter(seen: Observation, proposal: Proposal) -> Mapping[str, Signal]:
        return measured

    with hall(tmp_path, meter=meter) as running:
        decisions = play(running, 3)
    assert {d.command.rung for d in decisions} == {Rung.INCUMBENT}
    assert all(Source.CANDIDATE in d.removed and not d.memory_after.latches for d in decisions)
    assert all([f.rule for f in d.state] == ["NOVELTY"] for d in decisions)


def test_one_unusual_tick_costs_the_candidate_that_tick(tmp_path: Path) -> None:
    def meter(seen: Observation, proposal: Proposal) -> Mapping[str, Signal]:
        unusual = seen.taken_at % 3_600_000_000 == 900_000_000
        return {SIGNAL: Signal(2.0 if unusual else 0.5)}

    with hall(tmp_path, meter=meter) as running:
        decisions = play(running, 6)
    by_second = {second(d): d.command.rung for d in decisions}
    assert [by_second[at] for at in (600.0, 900.0, 1200.0)] == [Rung.CANDIDATE, Rung.INCUMBENT, Rung.CANDIDATE]


def test_a_resumed_loop_knows_what_was_measured_last(tmp_path: Path) -> None:
    with hall(tmp_path) as running:
        play(running, 2)
    with hall(tmp_path) as running:
        at_us, measured = running.loop._measured
        assert at_us > 0
        assert aged(measured, 30_000_000) == {SIGNAL: Signal(0.5, age_us=30_000_000)}
