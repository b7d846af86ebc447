"""A trip rule, or a command that becomes forbidden, while the candidate is in control: control reverts within 30 s.

The incumbent does what physics allows, and only operators bring the candidate back, through shadow.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller import bootstrap
from controller.loop.checkpoint import Checkpoints, decode_state
from controller.records.decision import Decision
from controller.rollout.blocks import assign
from controller.rollout.state import RolloutStatus
from safety.values import Observation, Outcome, Rung, Setpoints, Source
from simulators.cooling.world.faults import Fault
from tests.loop.loop_fixture import certify, site_copy, without
from tests.loop.scripted_candidates import STEADY, Operator, after, befall, events, hall, play, second
from tests.records.record_corpus import reworded

HOUR_S = 3600.0
# Warmer and with less air than the incumbent would have it, yet permitted: what a load step then does is the rules' business.
WARM: Setpoints = {
    **STEADY,
    "chillers_on": 1.0,
    "supply_air_c": 22.0,
    "chws_c": 11.0,
    **{f"fan_z{z}_frac": 0.42 for z in range(1, 5)},
    "fan_z3_frac": 0.46,  # its load is the highest
}
LOAD_STEP = Fault("load_step", HOUR_S, HOUR_S, 200.0, zone=1)
COIL_LOST = Fault("valve_stuck", HOUR_S, 1500.0, 1.0, zone=1)
RULE = "INLET-Z1-TRIP"
EARLIER = ('kind = "recoverability"', 'id = "CHILLERS-LOAD"')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo without the rules that would take the plant from such a candidate before anything latches."""
    return without(site_copy(tmp_path_factory.mktemp("demo")), *EARLIER)


@pytest.fixture(scope="module")
def stepped(
    site: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[bootstrap.ControlSystem, list[Decision]]]:
    """Two hours with a warm-blooded candidate in charge; after one, IT load is added in zone 1."""
    with hall(tmp_path_factory.mktemp("stepped"), lambda _: WARM, site=site, faults=(LOAD_STEP,)) as running:
        yield running, play(running, 24)


def latching(decisions: list[Decision]) -> Decision:
    return next(d for d in decisions if d.memory_after.latches)


def inlet_c(seen: Observation) -> float:
    """What its three sensors agree on."""
    return sorted(seen.signals[f"inlet_z1_s{i}_c"].value for i in (1, 2, 3))[1]


Run = tuple[bootstrap.ControlSystem, list[Decision]]


def test_a_checkpoint_finds_a_reworded_latch_by_its_rule(stepped: Run) -> None:
    running, _ = stepped
    state = running.loop.state
    assert [latch.rule for latch in state.memory.latches] == [RULE]
    memory = reworded(state.memory)
    rollout_id = state.rollout.rollout_id
    again = decode_state(Checkpoints().encode(state), memory, running.loop.parts.spec, rollout_id=rollout_id, now_us=0)
    assert again.memory == memory != state.memory


def test_latch_ends_candidate_control_within_a_guard_period(stepped: Run) -> None:
    _, decisions = stepped
    latched = latching(decisions)
    before = [d for d in decisions if d.observation.taken_at < latched.observation.taken_at]
    assert {d.command.rung for d in before} == {Rung.CANDIDATE}
    assert HOUR_S < second(latched) <= HOUR_S + 30.0
    assert latched.assignment.source is Source.CANDIDATE
    assert latched.command.rung is Rung.INCUMBENT
    assert Source.CANDIDATE in latched.removed


def test_reverting_decision_names_the_latched_rule_and_its_margin(stepped: Run) -> None:
    running, decisions = stepped
    latched = latching(decisions)
    assert not latched.memory_before.latches
    (latch,) = latched.memory_after.latches
    assert (latch.rule, latch.first_out.outcome) == (RULE, Outcome.VETO)
    assert latch.first_out in latched.state
    assert inlet_c(latched.observation) == pytest.approx(31.0 - latch.first_out.margin)
    assert running.spool.decision(latched.id) == latched


def test_latch_trips_the_rollout_critically_and_both_are_audited(stepped: Run) -> None:
    running, decisions = stepped
    trip = running.loop.state.rollout.trip
    assert trip is not None
    assert trip.at_us == latching(decisions).observation.taken_at
    assert "envelope_trip" in (trip.cause, *trip.also)
    assert trip.critical
    assert running.loop.state.rollout.status is RolloutStatus.TRIPPED
    details = [event.detail for event in events(running, "trip")]
    assert [detail.latch for detail in details] == [None, RULE]
    assert details[0].trip == trip.id


def test_incumbent_keeps_the_hard_limit_that_the_candidate_exceeds(
    stepped: Run,
) -> None:
    running, decisions = stepped
    ruled = after(decisions, HOUR_S)
    assert {d.command.rung for d in ruled} == {Rung.INCUMBENT}
    assert max(inlet_c(d.observation) for d in ruled) < 32.0
    breach_s = running.built.lanes()["breach_s"]
    assert breach_s["applied"] == breach_s["incumbent"] == 0.0
    assert breach_s["candidate"] > 0.0
    assert running.loop.state.counters.escapes == 0


def test_unavoidable_seconds_above_the_limit_are_counted(tmp_path: Path, site: Path) -> None:
    with hall(tmp_path, site=site, faults=(COIL_LOST,)) as running:
        decisions = play(running, 24)
        lanes, state = running.built.lanes()["breach_s"], running.loop.state
        outside = sum(30.0 for d in decisions if inlet_c(d.observation) > 32.0)
        assert lanes["applied"] >= outside > 0.0
        assert lanes["applied"] <= lanes["incumbent"], "the candidate began cooler, and the incumbent did what it could"
        report = running.report()
        assert report["breach_s"]["applied"] == lanes["applied"]
        counted = state.evidence.tally
        assert counted.driven_breach_s == 0.0, "control reverted before the limit was exceeded"
        assert counted.incumbent_breach_s == lanes["applied"]


def test_newly_forbidden_command_trips_at_the_next_guard(tmp_path: Path, site: Path) -> None:
    mild = Fault("load_step", HOUR_S, HOUR_S, 140.0, zone=1)
    with hall(tmp_path, lambda _: WARM, site=site, faults=(mild,)) as running:
        decisions = play(running, 14)
        (taken,) = [d for d in decisions if second(d) % 300.0]
        assert second(taken) <= HOUR_S + 30.0
        judged = taken.judged_by(Rung.CANDIDATE)
        assert judged is not None
        assert judged.first_out == "FAN-Z1-HOT"
        assert not taken.memory_after.latches
        trip = running.loop.state.rollout.trip
        assert trip is not None
        assert (trip.cause, trip.critical) == ("hard_veto", True)


def test_corrected_proposal_does_not_return_control_to_the_candidate(tmp_path: Path, site: Path) -> None:
    def wants(seen: Observation) -> Setpoints:
        return STEADY if inlet_c(seen) > 29.5 else WARM

    mild = Fault("load_step", HOUR_S, HOUR_S, 140.0, zone=1)
    with hall(tmp_path, wants, site=site, faults=(mild,)) as running:
        decisions = play(running, 14)
        (taken,) = [d for d in decisions if second(d) % 300.0]
        judged = taken.judged_by(Rung.CANDIDATE)
        assert judged is not None
        assert judged.accepted
        assert taken.command.rung is Rung.INCUMBENT
        trip = running.loop.state.rollout.trip
        assert trip is not None
        assert trip.cause == "hard_veto"


def test_doubtful_sensor_suspends_the_candidate_without_a_trip(tmp_path: Path, site: Path) -> None:
    half = Fault("fan_lost", HOUR_S, 1200.0, 0.5, zone=1)
    with hall(tmp_path, site=site, faults=(half,)) as running:
        decisions = play(running, 20)
        (taken,) = [d for d in decisions if second(d) % 300.0]
        assert [f.rule for f in taken.state] == ["FAN-Z1-READBACK"]
        assert taken.command.rung is Rung.INCUMBENT
        assert decisions[-1].command.rung is Rung.CANDIDATE
        assert running.loop.state.rollout.trip is None


def test_a_latch_survives_a_restart(tmp_path: Path, site: Path) -> None:
    with hall(tmp_path, lambda _: WARM, site=site, faults=(LOAD_STEP,)) as running:
        play(running, 14)
        left = running.loop.state
    with hall(tmp_path, lambda _: WARM, site=site, driving=False) as running:
        assert running.loop.state.memory.latches == left.memory.latches != ()
        assert running.loop.state.rollout == left.rollout
        assert {d.command.rung for d in play(running, 3)} == {Rung.INCUMBENT}


class TestComingBack:
    """A latch, and the trip that came with it."""

    @pytest.fixture
    def running(self, tmp_path: Path, site: Path) -> Iterator[bootstrap.ControlSystem]:
        with hall(tmp_path, lambda _: WARM, site=site, faults=(LOAD_STEP,)) as running:
            play(running, 13)
            yield running

    def test_a_latch_is_not_reset_while_its_cause_is_active(self, running: bootstrap.ControlSystem) -> None:
        ann = Operator(running)
        befall(running, Fault("valve_stuck", HOUR_S, 10 * HOUR_S, 1.0, zone=1))
        play(running, 2)
        assert inlet_c(running.plant.observe()) > 31.0
        intent = ann.does("reset", trip_id=f"latch:{RULE}")
        play(running, 1)
        assert ann.intent(intent).outcome == "refused"
        assert "still active: `inlet_z1_c`" in ann.intent(intent).detail
        assert running.loop.state.memory.latches

    def test_a_trip_is_not_reset_while_the_latch_is_set(self, running: bootstrap.ControlSystem) -> None:
        ann = Operator(running)
        play(running, 13)
        intent = ann.does("reset", trip_id=trip_of(running))
        play(running, 1)
        assert ann.intent(intent).outcome == "refused"
        assert "envelope_trip" in ann.intent(intent).detail

    def test_two_people_return_the_candidate_to_shadow_only(self, running: bootstrap.ControlSystem) -> None:
        ann, bob = Operator(running, "ann"), Operator(running, "bob")
        befall(running)
        play(running, 13)
        lifted = ann.does("reset", trip_id=f"latch:{RULE}")
        play(running, 1)
        assert ann.intent(lifted).outcome == "applied"
        assert not running.loop.state.memory.latches

        trip = trip_of(running)
        first = ann.does("reset", trip_id=trip)
        play(running, 1)
        assert ann.intent(first).outcome == "applied"
        assert running.loop.state.rollout.status is RolloutStatus.TRIPPED
        again = ann.does("reset", trip_id=trip)
        play(running, 1)
        assert "another person is needed" in ann.intent(again).detail
        bob.does("reset", trip_id=trip)
        play(running, 1)

        rollout = running.loop.state.rollout
        assert (rollout.status, rollout.stage, rollout.re_entry) == (RolloutStatus.RUNNING, 0, True)
        assert assign(running.loaded.spec, rollout, running.plant.observe().taken_at, b"").who == "incumbent"
        assert {d.command.rung for d in play(running, 3)} == {Rung.INCUMBENT}
        assert [event.kind for event in events(running)].count("reset") == 2

    def test_latch_reset_survives_a_kill_before_the_next_decision(
        self, running: bootstrap.ControlSystem, tmp_path: Path, site: Path
    ) -> None:
        befall(running)
        play(running, 2)
        Operator(running).does("reset", trip_id=f"latch:{RULE}")
        running.loop._take_up_intents(running.plant.observe())
        running.spool.close()
        with hall(tmp_path, lambda _: WARM, site=site, driving=False) as again:
            assert not again.loop.state.memory.latches


def test_the_latch_of_a_critical_rule_takes_two_people(tmp_path: Path) -> None:
    site = without(site_copy(tmp_path), *EARLIER)
    envelope = site / "envelope.toml"
    edited = envelope.read_text().replace(f'id = "{RULE}"\n', f'id = "{RULE}"\ncritical = true\n')
    envelope.write_text(edited)
    certify(site)
    with hall(tmp_path / "state", lambda _: WARM, site=site, faults=(LOAD_STEP,)) as running:
        ann, bob = Operator(running, "ann"), Operator(running, "bob")
        play(running, 15)
        ids = []
        for person in (ann, ann, bob):
            ids.append(person.does("reset", trip_id=f"latch:{RULE}"))
            play(running, 1)
            if person is ann:
                assert running.loop.state.memory.latches
        assert not running.loop.state.memory.latches
        assert [ann.intent(number).outcome for number in ids] == ["applied", "refused", "applied"]
        assert "another person" in ann.intent(ids[1]).detail


def test_latch_in_shadow_also_trips_the_rollout(tmp_path: Path, site: Path) -> None:
    with hall(tmp_path, site=site, faults=(COIL_LOST,), driving=False) as running:
        play(running, 16)
        trip = running.loop.state.rollout.trip
        assert trip is not None
        assert trip.cause == "envelope_trip"


def trip_of(running: bootstrap.ControlSystem) -> str:
    trip = running.loop.state.rollout.trip
    assert trip is not None
    return trip.id
