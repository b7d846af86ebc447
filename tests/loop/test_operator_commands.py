"""What people do to a running loop, through the operator queue and the STOP file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from controller import bootstrap
from controller.records.decision import Decision
from controller.records.entry import decode_receipt
from controller.records.operator_queue import Kind
from controller.records.stop_latch import read_stop, write_stop
from controller.rollout.state import RolloutStatus
from safety.values import Rung, Source
from tests.loop.scripted_candidates import Killed, Operator, after, events, hall, play, second


@pytest.fixture
def running(tmp_path: Path) -> Iterator[bootstrap.ControlSystem]:
    """A hall with the candidate in charge."""
    with hall(tmp_path) as running:
        yield running


@pytest.fixture
def ann(running: bootstrap.ControlSystem) -> Operator:
    return Operator(running)


def rungs(decisions: list[Decision]) -> list[str]:
    return [decision.command.rung.value for decision in decisions]


class TestOverrides:
    def test_override_of_the_next_command_acts_once(self, running: bootstrap.ControlSystem, ann: Operator) -> None:
        intent = ann.does("override", setpoints={"supply_air_c": 19.5})
        first, second_, *_ = play(running, 3)
        assert rungs([first, second_]) == ["operator", "candidate"]
        (own,) = [p for p in first.proposals if p.source is Source.INCUMBENT]
        assert first.judged_by(Rung.OPERATOR) is not None
        (given,) = [p for p in first.proposals if p.source is Source.OPERATOR]
        assert given.targets == {**own.targets, "supply_air_c": 19.5}
        assert first.assignment.override == intent
        assert "ann" in first.assignment.why
        assert ann.intent(intent).outcome == "applied"

    def test_standing_override_ends_at_its_expiry(self, running: bootstrap.ControlSystem, ann: Operator) -> None:
        ann.does("override", setpoints={"supply_air_c": 19.5}, scope="standing", for_s=900.0)
        assert rungs(play(running, 5)) == ["operator"] * 3 + ["candidate"] * 2
        assert running.loop.state.override is None

    def test_a_standing_one_can_be_cleared(self, running: bootstrap.ControlSystem, ann: Operator) -> None:
        ann.does("override", setpoints={"supply_air_c": 19.5}, scope="standing", for_s=3600.0)
        assert rungs(play(running, 1)) == ["operator"]
        ann.does("override_clear")
        assert rungs(play(running, 1)) == ["candidate"]

    def test_a_standing_one_survives_a_restart(self, tmp_path: Path) -> None:
        with hall(tmp_path) as running:
            Operator(running).does("override", setpoints={"supply_air_c": 19.5}, scope="standing", for_s=3600.0)
            play(running, 1)
        with hall(tmp_path) as running:
            assert rungs(play(running, 2)) == ["operator"] * 2

    def test_override_that_refuses_the_candidate_reverts_to_the_incumbent(
        self, running: bootstrap.ControlSystem, ann: Operator
    ) -> None:
        ann.does("override", reject=True)
        assert rungs(play(running, 2)) == ["incumbent", "candidate"]

    @pytest.mark.parametrize(
        ("setpoints", "why"),
        [
            ({"supply_air_c": 30.0}, "`SUPPLY-BOUND`"),
            ({"supply_air_c": 99.0}, "`supply_air_c` = 99"),
            ({"chillers_on": 1.5}, "`chillers_on` = 1.5"),
            ({"supply_air": 19.0}, "unknown setpoint `supply_air`; valid: chillers_on"),
            ({}, "needs `setpoints`"),
            ("hot", "dictionary"),
        ],
    )
    def test_impossible_override_is_refused_at_once_with_a_reason(
        self, running: bootstrap.ControlSystem, ann: Operator, setpoints: object, why: str
    ) -> None:
        intent = ann.does("override", setpoints=setpoints)
        assert rungs(play(running, 1)) == ["candidate"]
        assert ann.intent(intent).outcome == "refused"
        assert why in ann.intent(intent).detail

    @pytest.mark.parametrize("for_s", [0.0, -5.0, 86401.0, float("nan"), float("inf"), "soon"])
    def test_standing_override_requires_a_duration_up_to_a_day(
        self, running: bootstrap.ControlSystem, ann: Operator, for_s: object
    ) -> None:
        intent = ann.does("override", setpoints={"supply_air_c": 19.5}, scope="standing", for_s=for_s)
        assert rungs(play(running, 1)) == ["candidate"]
        assert ann.intent(intent).outcome == "refused"

    def test_newly_forbidden_override_is_refused_with_the_rule_id(
        self, running: bootstrap.ControlSystem, ann: Operator
    ) -> None:
        little_air = {f"fan_z{zone}_frac": 0.31 for zone in range(1, 5)} | {"supply_air_c": 24.0}
        intent = ann.does("override", setpoints=little_air, scope="standing", for_s=7200.0)
        made = play(running, 20)
        assert ann.intent(intent).outcome == "applied"
        assert rungs(made[:3]) == ["operator"] * 3
        hot = next(d for d in made if second(d) % 300.0)
        judged = hot.judged_by(Rung.OPERATOR)
        assert judged is not None
        assert judged.first_out == "FAN-Z3-HOT"
        assert hot.assignment.source is Source.OPERATOR
        assert hot.command.rung is Rung.FAILSAFE, "trim-and-respond follows what was applied, and would not leap either"
        assert running.built.lanes()["breach_s"]["applied"] == 0.0


class TestStop:
    def test_stop_reverts_control_at_the_next_guard(self, running: bootstrap.ControlSystem) -> None:
        state = running.options.state
        decisions = play(running, 3, {330_000_000: lambda: void(write_stop(state, "ann", "a test"))})
        (taken,) = [d for d in decisions if second(d) % 300.0]
        assert second(taken) == 330.0
        assert taken.command.rung is Rung.INCUMBENT
        assert taken.command.setpoints
        assert Source.CANDIDATE in taken.removed
        assert rungs(after(decisions, 330.0)) == ["incumbent"]
        assert running.plant.observe().applied
        assert running.loop.state.rollout.status is RolloutStatus.RUNNING, (
            "STOP does not trip the rollout: `start` restores the candidate"
        )

    def test_it_survives_a_restart(self, tmp_path: Path) -> None:
        with hall(tmp_path) as running:
            play(running, 1)
            write_stop(tmp_path, "ann", "a test")
        with hall(tmp_path) as running:
            assert rungs(play(running, 2)) == ["incumbent"] * 2
            assert [event.text for event in events(running, "note")] == ["STOP is set"]

    @pytest.mark.parametrize("gone", ["intents.sqlite", "store.sqlite"])
    def test_it_works_with_a_database_deleted(self, running: bootstrap.ControlSystem, gone: str) -> None:
        state = running.options.state
        play(running, 1)
        for left in state.glob(f"{gone}*"):
            left.unlink()
        write_stop(state, "ann", "a test")
        assert rungs(play(running, 1)) == ["incumbent"]

    @pytest.mark.parametrize("locked", ["intents.sqlite", "store.sqlite"])
    def test_it_works_with_a_database_locked(self, running: bootstrap.ControlSystem, locked: str) -> None:
        state = running.options.state
        with closing(sqlite3.connect(state / locked, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert rungs(play(running, 1)) == ["candidate"]
            write_stop(state, "ann", "a test")
            assert rungs(play(running, 1)) == ["incumbent"]

    def test_it_works_with_a_queue_that_is_not_a_database(self, tmp_path: Path) -> None:
        (tmp_path / "intents.sqlite").write_bytes(b"not a database, whatever its name says" * 100)
        with hall(tmp_path) as running:
            assert rungs(play(running, 1)) == ["candidate"]
            write_stop(tmp_path, "ann", "a test")
            assert rungs(play(running, 1)) == ["incumbent"]
            (alarm,) = events(running, "alarm")
            assert alarm.id.endswith(".intents.away")

    def test_the_operator_queue_is_found_again_after_it_was_deleted(self, running: bootstrap.ControlSystem) -> None:
        play(running, 1)
        for left in running.options.state.glob("intents.sqlite*"):
            left.unlink()
        ann = Operator(running)
        intent = ann.does("pause")
        play(running, 1)
        assert ann.intent(intent).outcome == "applied"

    def test_start_clears_the_stop_and_restores_the_candidate(
        self, running: bootstrap.ControlSystem, ann: Operator
    ) -> None:
        intent = ann.does("stop", reason="looks odd")
        assert rungs(play(running, 1)) == ["incumbent"]
        stop = read_stop(running.options.state)
        assert stop is not None
        assert (stop.actor, stop.reason) == ("ann", "looks odd")
        assert ann.intent(intent).outcome == "applied"
        ann.does("start", reason="it was the sensor")
        assert rungs(play(running, 1)) == ["candidate"]
        assert read_stop(running.options.state) is None


class TestRollout:
    @pytest.mark.parametrize("kind", ["pause", "abort", "trip"])
    def test_taking_the_plant_acts_at_the_next_guard(
        self, running: bootstrap.ControlSystem, ann: Operator, kind: str
    ) -> None:
        decisions = play(running, 2, {60_000_000: lambda: void(ann.does(kind))})  # type: ignore[arg-type]
        assert [(second(d), d.command.rung.value) for d in decisions] == [
            (0.0, "candidate"),
            (60.0, "incumbent"),
            (300.0, "incumbent"),
        ]

    def test_resumed_candidate_is_in_control_from_the_next_block(
        self, running: bootstrap.ControlSystem, ann: Operator
    ) -> None:
        ann.does("pause")
        assert rungs(play(running, 1)) == ["incumbent"]
        assert running.loop.state.rollout.status is RolloutStatus.PAUSED
        ann.does("resume")
        block_ticks = running.loaded.spec.block_ticks
        made = rungs(play(running, 2 * block_ticks))
        assert "candidate" not in made[: block_ticks - 1]
        assert "candidate" in made

    def test_an_abort_is_for_good(self, running: bootstrap.ControlSystem, ann: Operator) -> None:
        ann.does("abort")
        play(running, 1)
        assert running.loop.state.rollout.status is RolloutStatus.ABORTED
        intents = [ann.does("resume"), ann.does("promote"), ann.does("reset", trip_id="any")]
        play(running, 1)
        assert [ann.intent(number).outcome for number in intents] == ["refused"] * 3

    def test_manual_trip_is_reset_by_id_after_its_cool_down(
        self, running: bootstrap.ControlSystem, ann: Operator
    ) -> None:
        ann.does("trip", reason="looks odd")
        play(running, 1)
        trip = running.loop.state.rollout.trip
        assert trip is not None
        assert "looks odd" in trip.reason
        wrong, soon = ann.does("reset", trip_id="no-such"), ann.does("reset", trip_id=trip.id)
        play(running, 13)
        assert f"the latched one is `{trip.id}`" in ann.intent(wrong).detail
        assert "cool-down" in ann.intent(soon).detail
        intent = ann.does("reset", trip_id=trip.id)
        play(running, 1)
        assert ann.intent(intent).outcome == "applied"
        rollout = running.loop.state.rollout
        assert (rollout.status, rollout.stage, rollout.re_entry) == (RolloutStatus.RUNNING, 0, True)

    @pytest.mark.parametrize(("kind", "other"), [("promote", "approve"), ("approve", "promote")])
    def test_promote_and_approve_are_one_act(self, tmp_path: Path, kind: Kind, other: Kind) -> None:
        with hall(tmp_path, driving=False) as running:
            ann, bob = Operator(running, "ann"), Operator(running, "bob")
            plain = ann.does(kind)
            first = ann.does(kind, skip_gate=True)
            again = ann.does(other, skip_gate=True)
            play(running, 1)
            assert ann.intent(plain).outcome == "refused"
            assert ann.intent(first).outcome == "applied"
            assert "another person is needed" in ann.intent(again).detail
            bob.does(other, skip_gate=True)
            play(running, 2 * running.loaded.spec.block_ticks)
            assert running.loop.state.rollout.stage == 1
            (move,) = running.loop.state.rollout.history
            assert move.by == ("ann", "bob")
            assert "gate skipped" in move.why

    def test_an_act_upon_an_outdated_view_is_not_carried_out(
        self, running: bootstrap.ControlSystem, ann: Operator
    ) -> None:
        version = running.loop.state.rollout.version
        ann.does("pause")
        late = ann.does("abort", version=version)
        play(running, 1)
        assert ann.intent(late).outcome == "stale"
        assert f"made for {version}" in ann.intent(late).detail
        assert running.loop.state.rollout.status is RolloutStatus.PAUSED

    def test_an_act_without_a_reason_is_refused(self, running: bootstrap.ControlSystem, ann: Operator) -> None:
        intent = ann.does("abort", reason=" ")
        assert rungs(play(running, 1)) == ["candidate"]
        assert ann.intent(intent).outcome == "refused"


class TestOnce:
    def test_one_key_used_twice_acts_once(self, running: bootstrap.ControlSystem, ann: Operator) -> None:
        version = running.loop.state.rollout.version
        first = ann.does("pause", key="k")
        assert ann.does("pause", key="k") == first
        play(running, 1)
        ann.does("resume")
        play(running, 1)
        assert ann.does("pause", key="k") == first
        play(running, 1)
        assert running.loop.state.rollout.status is RolloutStatus.RUNNING
        assert running.loop.state.rollout.version == version + 2

    def test_recorded_unanswered_act_acts_once_after_a_kill(self, tmp_path: Path) -> None:
        with hall(tmp_path) as running:
            ann = Operator(running)
            play(running, 1)
            version = running.loop.state.rollout.version
            intent = ann.does("pause")
            running.operators.queue = Dies(running.operators.queue)
            with pytest.raises(Killed):
                play(running, 1)
            assert ann.intent(intent).outcome == "pending"
        with hall(tmp_path, driving=False) as running:
            assert running.loop.state.rollout.version == version + 1
            assert rungs(play(running, 1)) == ["incumbent"]
            assert running.loop.state.rollout.version == version + 1
            assert ann.intent(intent).outcome == "applied"
            assert [event.id for event in events(running, "intent")].count(intent) == 1

    def test_act_with_a_failed_answer_acts_once(self, running: bootstrap.ControlSystem, ann: Operator) -> None:
        running.operators.monotonic_s = hours = Hours()
        intent = ann.does("pause")
        version = running.loop.state.rollout.version
        with closing(sqlite3.connect(running.options.state / "intents.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            play(running, 1)
        assert ann.intent(intent).outcome == "pending"
        assert running.loop.state.rollout.version == version + 1
        hours.now_s += 3600.0
        play(running, 1)
        assert ann.intent(intent).outcome == "applied"
        assert running.loop.state.rollout.version == version + 1

    def test_command_receipt_is_kept_when_an_act_follows(self, running: bootstrap.ControlSystem, ann: Operator) -> None:
        decisions = play(running, 2, {90_000_000: lambda: void(ann.does("override", reject=True))})
        receipts = [decode_receipt(body) for _, body in running.spool.unshipped(100).receipts]
        assert [receipt.decision for receipt in receipts] == [decision.id for decision in decisions]


class Dies:
    """An operator queue whose process is killed as it writes back an outcome."""

    def __init__(self, queue: object) -> None:
        self.queue = queue

    def pending(self, plant: str) -> object:
        return self.queue.pending(plant)  # type: ignore[attr-defined]

    def resolve(self, *_: object) -> None:
        raise Killed


class Hours:
    """A monotonic clock that a test moves."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def void(_: object) -> None:
    """An act of a test gives nothing back."""
