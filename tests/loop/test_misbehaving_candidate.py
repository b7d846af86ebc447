"""A candidate that fails while in control: its breaker trips, and the incumbent acts on the same tick."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from controller.rollout.state import RolloutStatus
from controller.testing.misbehaving import command
from safety.values import Observation, Proposal, Rung, Source
from safety.values import Status as Answer
from tests.loop.loop_fixture import in_charge, run_ticks, system
from tests.loop.scripted_candidates import Scripted, hall, play

GOOD_ASKS = 6

SCENARIOS = {
    "crash": (Answer.FAILED, "candidate_failed"),
    "leave": (Answer.FAILED, "candidate_failed"),
    "fault": (Answer.FAILED, "candidate_failed"),
    "garbage": (Answer.FAILED, "candidate_failed"),
    "leak": (Answer.OVER_MEMORY, "memory_over_limit"),
    "nan": (Answer.NOT_FINITE, "candidate_nan"),
    "infinite": (Answer.NOT_FINITE, "candidate_nan"),
    "wrong_shape": (Answer.WRONG_SHAPE, "candidate_shape"),
}


@pytest.mark.parametrize("how", SCENARIOS)
def test_incumbent_acts_on_the_tick_that_trips_the_breaker(how: str, tmp_path: Path) -> None:
    status, cause = SCENARIOS[how]
    limit_mb = 250.0 if how == "leak" else None
    with system(tmp_path, policy_command=command(how, GOOD_ASKS), max_rss_mb=limit_mb) as running:
        in_charge(running)
        decisions = run_ticks(running, 20)
        failed = next(d for d in decisions if _answer(d) is not Answer.OK)

        assert _answer(failed) is status
        before = [d for d in decisions if d.observation.taken_at < failed.observation.taken_at]
        assert [d.command.rung for d in before] == [Rung.CANDIDATE] * len(before)
        assert before, "the candidate must have been in control before, or the test shows nothing"
        assert failed.assignment.source is Source.CANDIDATE
        assert failed.command.rung is Rung.INCUMBENT

        after = [d for d in decisions if d.observation.taken_at > failed.observation.taken_at]
        assert {d.command.rung for d in after} == {Rung.INCUMBENT}
        assert running.loop.state.rollout.status is RolloutStatus.TRIPPED
        assert running.loop.state.rollout.trip is not None
        assert running.loop.state.rollout.trip.cause == cause
        assert running.loop.state.rollout.trip.at_us == failed.observation.taken_at

        lanes = running.built.lanes()
        assert lanes["breach_s"]["applied"] == 0.0
        assert running.loop.state.counters.escapes == 0


@pytest.mark.parametrize(
    ("status", "cause"), [(Answer.FAILED, "candidate_failed"), (Answer.OVER_MEMORY, "memory_over_limit")]
)
def test_the_memory_breaker_reads_the_status_only(
    status: Answer, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers(_: Scripted, observations: Sequence[Observation]) -> list[Proposal]:
        return [Proposal(Source.CANDIDATE, {}, status, "memory: 2 MiB above the limit") for _ in observations]

    with hall(tmp_path) as running:
        monkeypatch.setattr(Scripted, "propose", answers)
        play(running, 1)
        trip = running.loop.state.rollout.trip
        assert trip is not None
        assert trip.cause == cause


def test_late_candidate_trips_after_three_late_answers(tmp_path: Path) -> None:
    with system(tmp_path, policy_command=command("late", GOOD_ASKS), deadline_ms=20.0) as running:
        in_charge(running)
        decisions = run_ticks(running, 14)
        late = [d for d in decisions if _answer(d) is Answer.LATE]
        assert len(late) >= 3
        assert {d.command.rung for d in late} == {Rung.INCUMBENT}
        trip = running.loop.state.rollout.trip
        assert trip is not None
        assert trip.cause == "candidate_late"
        assert trip.at_us == late[2].observation.taken_at
        assert running.built.lanes()["breach_s"]["applied"] == 0.0


def test_the_step_at_hand_over_is_within_the_slew_limits(tmp_path: Path) -> None:
    with system(tmp_path, policy_command=command("crash", GOOD_ASKS)) as running:
        in_charge(running)
        decisions = run_ticks(running, 20)
        for decision in decisions:
            assert not [f for f in decision.chosen.findings if f.refuses]


def _answer(decision: object) -> Answer:
    proposals = {p.source: p for p in decision.proposals}  # type: ignore[attr-defined]
    status: Answer = proposals[Source.CANDIDATE].status
    return status
