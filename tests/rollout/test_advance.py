"""What ticks do to a rollout, as properties of arbitrary histories."""

import re
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.rollout import acts, schema_1
from controller.rollout.advance import advance
from controller.rollout.blocks import assign, is_last_tick_of_block
from controller.rollout.effects import Aborted, ApprovalWanted, Effect, Held, StageEntered, Tripped
from controller.rollout.errors import ActRefusedError
from controller.rollout.gates import GateOutcome, combine, judge
from controller.rollout.spec import INSTANT_CAUSES, RolloutSpec, load_spec
from controller.rollout.state import DRIVING, LATCHED, RolloutState, RolloutStatus, from_plain, to_plain
from controller.rollout.transitions import enter, start
from shadow.evidence import Evidence, TickEvidence, observe_tick
from shadow.statistics import BettingSequence
from tests.rollout.campaign import DEMO, KEY, quick_spec

# Blocks of 4 hourly ticks; shadow takes two days, so a few hundred ticks see several stages.
TEXT = (
    DEMO.replace("period_s = 300", "period_s = 3600")
    .replace("block_ticks = 48", "block_ticks = 4")
    .replace("washout_ticks = 12", "washout_ticks = 1")
    .replace("days = 7 ", "days = 2 ")
    .replace("p0 = 0.005", "p0 = 0.3")
    .replace("p0 = 0.01", "p0 = 0.4")
    .replace("bet = 50.0", "bet = 1.5")
    .replace("clean_ticks = 288", "clean_ticks = 8")
    .replace("cool_down_s = 3600", "cool_down_s = 7200")
    .replace("share = 0.01", "share = 0.1")
    .replace("share = 0.05", "share = 0.2")
    .replace("model_blocks = 24", "model_blocks = 3")
    .replace("groups = 12", "groups = 2")
    .replace("groups = 24", "groups = 2")
)
SPEC = load_spec(TEXT)
PERIOD_US = SPEC.period_s * 1_000_000
FAST = settings(derandomize=True, max_examples=40, deadline=None)
Rollout = tuple[RolloutState, Evidence, list[Effect]]
Row = tuple[str, bool, float, str, int]
History = tuple[int, list[Row]]


def _begin(spec: RolloutSpec = SPEC) -> Rollout:
    evidence = Evidence.start("bundle", "plant", spec.evidence_settings())
    state, effects = start(spec, "rollout", evidence, 0)
    return state, evidence, list(effects)


def _tick(spec: RolloutSpec, state: RolloutState, i: int, saving_frac: float = 0.15, **changes: Any) -> TickEvidence:
    a = assign(spec, state, i * PERIOD_US, KEY)
    before = assign(spec, state, max(0, i - 1) * PERIOD_US, KEY)
    tick = TickEvidence(
        i * PERIOD_US,
        a.stage,
        a.block,
        a.who,
        a.who,
        cost=10.0 * (1 - saving_frac * (before.who == "candidate")),
        covariates=(5.0,),
        entry=a.entry,
        group=a.group,
        share=a.share,
    )
    return replace(tick, **changes)


def _run(
    ticks: range, rollout: Rollout, spec: RolloutSpec = SPEC, saving_frac: float = 0.15, **changes: Any
) -> Rollout:
    state, evidence, effects = rollout
    for i in ticks:
        evidence = observe_tick(evidence, _tick(spec, state, i, saving_frac, **changes))
        state, more = advance(spec, state, evidence, i * PERIOD_US)
        effects = [*effects, *more]
    return state, evidence, effects


def _until(spec: RolloutSpec, stage: int, limit: int = 3000, saving_frac: float = 0.15) -> tuple[Rollout, int]:
    rollout = _begin(spec)
    for i in range(limit):
        rollout = _run(range(i, i + 1), rollout, spec, saving_frac)
        if rollout[0].stage == stage:
            return rollout, i + 1
    raise AssertionError(f"stage {stage} not reached: {judge(spec, rollout[0], rollout[1], limit * PERIOD_US)}")


HISTORIES = st.tuples(
    st.integers(0, 5),
    st.lists(
        st.tuples(
            st.sampled_from(["ok"] * 40 + ["late", "absent", "failed"]),
            st.sampled_from([False] * 30 + [True]),
            st.sampled_from([0.15, 0.15, 0.0, -0.2]),
            st.sampled_from(["tick"] * 14 + ["pause", "resume", "trip", "reset", "promote", "promote", "demote"]),
            st.integers(1, 24),
        ),
        max_size=40,
    ),
)


def _act(what: str, state: RolloutState, evidence: Evidence, now_us: int) -> RolloutState:
    """One of two people tries something; what is refused changes nothing."""
    who = f"person {now_us // PERIOD_US % 2}"
    try:
        match what:
            case "pause":
                return acts.pause(state, now_us, who, "look")[0]
            case "resume":
                return acts.resume(SPEC, state, now_us, who, "looked")[0]
            case "trip":
                return acts.trip(SPEC, state, now_us, who, "proof test")[0]
            case "reset":
                identity = state.trip.id if state.trip else "none"
                return acts.reset(SPEC, state, evidence, now_us, identity, who, "cause removed")[0]
            case "promote":
                return acts.promote(SPEC, state, evidence, now_us, who, "enough seen", skip_gate=True)[0]
            case "demote":
                return acts.demote(SPEC, state, evidence, now_us, "shadow", who, "too soon")[0]
    except ActRefusedError:
        pass
    return state


@lru_cache(maxsize=8)
def _reached(stage: int) -> tuple[Rollout, int]:
    """A rollout that a good candidate brought to `stage`, and the next tick."""
    return (_begin(), 0) if stage == 0 else _until(SPEC, stage)


def _play(history: History) -> list[tuple[RolloutState, Evidence]]:
    """The states an arbitrary history passes through, from a stage on; each row lasts some ticks."""
    stage, rows = history
    (state, evidence, _), i = _reached(stage)
    states = [(state, evidence)]
    for status, refused, saving, what, length in rows:
        for _ in range(length):
            tick = _tick(SPEC, state, i, saving, candidate_status=status, candidate_refused=refused)
            evidence = observe_tick(evidence, tick)
            state, _effects = advance(SPEC, state, evidence, i * PERIOD_US)
            states.append((state, evidence))
            i += 1
        state = _act(what, state, evidence, (i - 1) * PERIOD_US)
        states.append((state, evidence))
    return states


@FAST
@given(HISTORIES)
def test_no_stage_is_ever_skipped_upward(history: History) -> None:
    stages = [state.stage for state, _ in _play(history)]
    assert all(after <= before + 1 for before, after in pairwise(stages))


@FAST
@given(HISTORIES)
def test_replaying_the_same_ticks_and_acts_gives_the_same_states(history: History) -> None:
    assert repr(_play(history)) == repr(_play(history))


@FAST
@given(HISTORIES)
def test_a_state_survives_storage_exactly(history: History) -> None:
    for state, _ in _play(history)[::17]:
        stored = msgspec.msgpack.decode(msgspec.msgpack.encode(to_plain(state)))
        assert from_plain(stored, SPEC, "rollout", 0) == state


@FAST
@given(HISTORIES)
def test_versions_rise_by_one_with_every_change_and_only_then(history: History) -> None:
    states = [state for state, _ in _play(history)]
    for before, after in pairwise(states):
        assert after.version == before.version + (after != before)


@FAST
@given(HISTORIES)
def test_after_a_trip_the_way_leads_through_shadow(history: History) -> None:
    states = [state for state, _ in _play(history)]
    for before, after in pairwise(states):
        if before.status in LATCHED and after.status in DRIVING:
            assert (after.stage, after.re_entry) == (0, True)


@FAST
@given(HISTORIES)
def test_abort_is_possible_from_every_state_and_final(history: History) -> None:
    states = _play(history)
    state, evidence = states[len(states) // 2]
    now = 10_000 * PERIOD_US
    ended, effects = acts.abort(state, now, "anyone", "enough")
    assert ended.status is RolloutStatus.ABORTED
    assert len(effects) == (state.status is not RolloutStatus.ABORTED)
    evidence = observe_tick(evidence, replace(_tick(SPEC, ended, 10_000), causes=("memory_over_limit",)))
    assert advance(SPEC, ended, evidence, now) == (ended, ())
    for act in ("resume", "promote", "reset", "trip", "demote", "pause"):
        assert _act(act, ended, evidence, now) == ended


@FAST
@given(HISTORIES)
def test_evidence_never_shrinks_whatever_happens_to_the_rollout(history: History) -> None:
    seen = [evidence for _, evidence in _play(history)]
    for before, after in pairwise(seen):
        assert after.tally.shadowed >= before.tally.shadowed
        assert after.tally.driven_unusable >= before.tally.driven_unusable
        assert after.benefit.cost.count >= before.benefit.cost.count


@FAST
@given(HISTORIES)
def test_the_cheap_path_misses_nothing_a_full_judgement_would_find(history: History) -> None:
    """Judging on every tick, instead of only on ticks with news or at the end of a block, gives the same states."""
    stage, rows = history
    (state, evidence, _), i = _reached(stage)
    for status, refused, saving, _what, length in rows:
        for _ in range(length):
            tick = _tick(SPEC, state, i, saving, candidate_status=status, candidate_refused=refused)
            evidence = observe_tick(evidence, tick)
            thorough, _ = advance(SPEC, state, replace(evidence, news=True), i * PERIOD_US)
            state, _effects = advance(SPEC, state, evidence, i * PERIOD_US)
            # Only asking a person (hold, approval) may wait for the end of the block.
            same = (thorough.status in DRIVING, thorough.stage) == (state.status in DRIVING, state.stage)
            assert same
            i += 1


@settings(FAST, max_examples=12)
@given(shares=st.lists(st.integers(1, 99), min_size=1, max_size=6, unique=True))
def test_a_good_candidate_walks_through_any_list_of_shares(shares: list[int]) -> None:
    stages = "".join(
        f'[[stages]]\nname = "{share} of a hundred"\nshare = {share / 100}\napprovals = 0\npatience_days = 900\n'
        'checks = [{ kind = "refusals_not_above", scope = "driven", p0 = 0.4, breach_alpha = 0.01 }]\n'
        for share in sorted(shares)
    )
    begin, end = TEXT.index('[[stages]]\nname = "1 %"'), TEXT.index("# One event trips")
    spec = load_spec(TEXT[:begin] + stages + TEXT[end:])
    state, _, effects = _run(range(60 + 400 * len(shares)), _begin(spec), spec)
    assert (state.stage, state.status) == (len(shares), RolloutStatus.COMPLETED)
    assert [e.stage for e in effects if isinstance(e, StageEntered)] == [s.name for s in spec.stages]


def test_stages_are_entered_at_block_and_scored_group_ends() -> None:
    rollout = _begin()
    for i in range(2000):
        before = rollout[0]
        rollout = _run(range(i, i + 1), rollout)
        if rollout[0].stage != before.stage:
            assert is_last_tick_of_block(SPEC, i * PERIOD_US)
            if SPEC.scores_benefit(before.stage):
                size, _ = SPEC.group_of(before.stage)
                assert (rollout[0].first_block - before.first_block) % size == 0
    assert rollout[0].status is RolloutStatus.COMPLETED


@pytest.mark.parametrize("missing", ["ticks", "cost", "proposals"])
def test_a_missing_metric_never_promotes(missing: str) -> None:
    rollout, i = _until(SPEC, 3)
    if missing == "ticks":
        state, evidence, _ = rollout
        for k in range(i, i + 4000):
            state, _effects = advance(SPEC, state, evidence, k * PERIOD_US)
        assert judge(SPEC, state, evidence, (i + 4000) * PERIOD_US).outcome is GateOutcome.ERRORED
    elif missing == "cost":
        state, evidence, _ = _run(range(i, i + 800), rollout, cost=None)
        assert judge(SPEC, state, evidence, (i + 799) * PERIOD_US).outcome is GateOutcome.ERRORED
    else:
        rollout = _begin()
        state, evidence, _ = _run(range(800), rollout, candidate_status="absent")
        assert state.stage == 0
        return
    assert (state.stage, state.status) == (3, RolloutStatus.RUNNING)


DRIVEN_CAUSES = ("breach", "hard_veto")


@pytest.mark.parametrize(
    ("cause", "paused"),
    [(cause, False) for cause in INSTANT_CAUSES] + [(c, True) for c in INSTANT_CAUSES if c not in DRIVEN_CAUSES],
)
def test_instant_cause_trips_in_its_tick_running_or_paused(cause: str, paused: bool) -> None:
    (state, evidence, effects), i = _until(SPEC, 5)
    while assign(SPEC, state, i * PERIOD_US, KEY).who != "candidate" or evidence.last.in_control != "candidate":  # type: ignore[union-attr]
        state, evidence, effects = _run(range(i, i + 1), (state, evidence, effects))
        i += 1
    if paused:
        state, _ = acts.pause(state, (i - 1) * PERIOD_US, "someone", "look")
    changes: dict[str, Any] = {
        "breach": {"breach_s": 60.0},
        "hard_veto": {"hard_veto": True, "candidate_refused": True},
    }.get(
        cause,
        {"candidate_status": cause.removeprefix("candidate_")}
        if cause.startswith("candidate_")
        else {"causes": (cause,)},
    )
    needed = 3 if cause == "candidate_late" else 1
    for k in range(needed):
        assert state.status not in LATCHED
        state, evidence, effects = _run(range(i + k, i + k + 1), (state, evidence, effects), **changes)
    assert state.status is RolloutStatus.TRIPPED
    assert state.trip is not None
    assert (state.trip.cause, state.trip.at_us) == (cause, (i + needed - 1) * PERIOD_US)
    assert isinstance(effects[-1], Tripped)
    assert assign(SPEC, state, (i + needed) * PERIOD_US, KEY).who == "incumbent"


def test_a_cause_nobody_declared_trips_critically() -> None:
    state, _, _ = _run(range(1), _begin(), causes=("gremlins",))
    assert state.trip is not None
    assert (state.trip.cause, state.trip.critical) == ("gremlins", True)


def test_first_out_cause_is_named_and_others_kept() -> None:
    state, _, _ = _run(range(1), _begin(), causes=("memory_over_limit", "audit_failure"), candidate_status="failed")
    assert state.trip is not None
    assert (state.trip.cause, state.trip.also) == ("audit_failure", ("memory_over_limit", "candidate_failed"))


def test_a_trip_beats_a_promotion_due_on_the_same_tick() -> None:
    rollout = _begin()
    for i in range(3000):
        after = _run(range(i, i + 1), rollout)
        if after[0].stage == 1:
            break
        rollout = after
    state, _, _ = _run(range(i, i + 1), rollout, causes=("memory_over_limit",))
    assert (state.status, state.stage) == (RolloutStatus.TRIPPED, 0)


def test_a_gate_goes_on_being_judged_while_approval_is_awaited() -> None:
    spec = load_spec(TEXT.replace("approvals = 0", "approvals = 1"))
    rollout = _run(range(100), _begin(spec), spec)
    assert rollout[0].status is RolloutStatus.WAITING_APPROVAL
    assert [type(e) for e in rollout[2]].count(ApprovalWanted) == 1
    state, _, _ = _run(range(100, 140), rollout, spec, candidate_refused=True)
    assert state.status in (RolloutStatus.TRIPPED, RolloutStatus.ABORTED)
    lapsed, _, _ = _run(range(100, 104), rollout, spec, candidate_status="late", candidate_refused=False, causes=())
    assert lapsed.status is RolloutStatus.TRIPPED


def test_approval_promotes_at_block_end_while_the_gate_holds() -> None:
    spec = load_spec(TEXT.replace("approvals = 0", "approvals = 2"))
    state, evidence, effects = _run(range(101), _begin(spec), spec)
    now = 100 * PERIOD_US
    state, _ = acts.promote(spec, state, evidence, now, "ada", "read it")
    with pytest.raises(ActRefusedError, match="another person"):
        acts.promote(spec, state, evidence, now, "ada", "twice")
    state, _ = acts.promote(spec, state, evidence, now, "ben", "read it too")
    assert (state.stage, state.promotion is not None) == (0, True)
    state, evidence, effects = _run(range(101, 104), (state, evidence, effects), spec)
    assert (state.stage, state.history[-1].by) == (1, ("ada", "ben"))
    assert state.approvals == ()


def test_a_failed_gate_aborts_with_its_reason() -> None:
    state, _, effects = _run(range(40), _begin(), candidate_refused=True)
    assert state.status is RolloutStatus.ABORTED
    assert isinstance(effects[-1], Aborted)
    assert "established above 0.3" in state.aborted_why


def test_inconclusive_gate_waits_for_a_person() -> None:
    spec = load_spec(TEXT.replace("patience_days = 60", "patience_days = 3").replace("days = 2 ", "days = 4 "))
    state, evidence, effects = _run(range(80), _begin(spec), spec)
    assert isinstance(effects[-1], Held)
    assert "observed days (3.04) < required (4)" in state.held
    # By now everything asked for is there; it still waits.
    state, evidence, effects = _run(range(80, 300), (state, evidence, effects), spec)
    assert (state.stage, state.status) == (0, RolloutStatus.RUNNING)
    assert judge(spec, state, evidence, 299 * PERIOD_US).outcome is GateOutcome.PASSED
    with pytest.raises(ActRefusedError, match=re.escape(state.held)):
        acts.promote(spec, state, evidence, 299 * PERIOD_US, "ada", "it has passed by now")
    state, _ = acts.resume(spec, state, 299 * PERIOD_US, "ada", "the week was short")
    state, _, _ = _run(range(300, 308), (state, evidence, effects), spec)
    assert state.stage == 1


def test_skipping_a_gate_requires_two_people_and_is_recorded() -> None:
    state, evidence, effects = _run(range(10), _begin())
    state, notes = acts.promote(SPEC, state, evidence, 9 * PERIOD_US, "ada", "known elsewhere", skip_gate=True)
    assert state.promotion is None
    assert "gate skip agreed to (1 of 2)" in str(notes)
    state, _ = acts.promote(SPEC, state, evidence, 9 * PERIOD_US, "ben", "agreed", skip_gate=True)
    state, _, _ = _run(range(10, 12), (state, evidence, effects))
    assert state.stage == 1
    assert state.history[-1].why.startswith("gate skipped (pending: observed days")


def test_a_failed_gate_cannot_be_skipped() -> None:
    rollout = _run(range(10), _begin())
    _, evidence, _ = _run(range(10, 40), rollout, candidate_refused=True)
    with pytest.raises(ActRefusedError, match="established above"):
        acts.promote(SPEC, rollout[0], evidence, 39 * PERIOD_US, "ada", "no matter", skip_gate=True)


def _tripped(**changes: Any) -> tuple[Rollout, int]:
    rollout = _run(range(60), _begin())
    rollout = _run(range(60, 61), rollout, **changes)
    assert rollout[0].status is RolloutStatus.TRIPPED
    return rollout, 61


def test_reset_waits_for_cool_down_and_cleared_cause() -> None:
    (state, evidence, effects), i = _tripped(causes=("memory_over_limit",))
    assert state.trip is not None
    with pytest.raises(ActRefusedError, match="cool-down"):
        acts.reset(SPEC, state, evidence, 61 * PERIOD_US, state.trip.id, "ada", "restarted")
    with pytest.raises(ActRefusedError, match="still present"):
        acts.reset(SPEC, state, evidence, 64 * PERIOD_US, state.trip.id, "ada", "restarted")
    with pytest.raises(ActRefusedError, match="the latched one is"):
        acts.reset(SPEC, state, evidence, 64 * PERIOD_US, "an older trip", "ada", "restarted")
    state, evidence, effects = _run(range(i, 64), (state, evidence, effects))
    assert state.status is RolloutStatus.TRIPPED
    assert state.trip is not None
    reset, _ = acts.reset(SPEC, state, evidence, 63 * PERIOD_US, state.trip.id, "ada", "restarted")
    assert (reset.status, reset.stage, reset.trip, reset.re_entry) == (RolloutStatus.RUNNING, 0, None, True)


def test_a_critical_trip_is_reset_by_two_different_people() -> None:
    (state, evidence, _), _ = _tripped(causes=("envelope_trip",))
    rollout = _run(range(61, 64), (state, evidence, []))
    identity = state.trip.id  # type: ignore[union-attr]
    once, _ = acts.reset(SPEC, rollout[0], rollout[1], 63 * PERIOD_US, identity, "ada", "verified")
    assert once.status is RolloutStatus.TRIPPED
    with pytest.raises(ActRefusedError, match="another person"):
        acts.reset(SPEC, once, rollout[1], 63 * PERIOD_US, identity, "ada", "verified again")
    twice, _ = acts.reset(SPEC, once, rollout[1], 63 * PERIOD_US, identity, "ben", "verified")
    assert twice.status is RolloutStatus.RUNNING


def test_too_many_trips_in_the_window_lock_out() -> None:
    state, evidence, _ = _run(range(10), _begin())
    for k in range(3):
        state, _ = acts.trip(SPEC, state, (9 + 3 * k) * PERIOD_US, "ada", "test")
        assert state.status is (RolloutStatus.LOCKED_OUT if k == 2 else RolloutStatus.TRIPPED)
        if k < 2:
            state, _ = acts.reset(SPEC, state, evidence, (11 + 3 * k) * PERIOD_US, state.trip.id, "ada", "tested")  # type: ignore[union-attr]
    assert [move.to_stage for move in state.history] == ["shadow"] * 5
    once, _ = acts.reset(SPEC, state, evidence, 30 * PERIOD_US, state.trip.id, "ada", "looked into")  # type: ignore[union-attr]
    assert once.status is RolloutStatus.LOCKED_OUT


def test_re_entry_asks_for_settled_shadow_and_keeps_the_evidence() -> None:
    rollout, i = _until(SPEC, 3)
    state, evidence, effects = _run(range(i, i + 1), rollout, causes=("memory_over_limit",))
    state, evidence, effects = _run(range(i + 1, i + 4), (state, evidence, effects))
    now = (i + 3) * PERIOD_US
    state, _ = acts.reset(SPEC, state, evidence, now, state.trip.id, "ada", "restarted")  # type: ignore[union-attr]
    assert evidence.tally.driven >= rollout[1].tally.driven
    assert "seconds since the reset" in judge(SPEC, state, evidence, now).why
    start_of_shadow = i + 4
    rollout = (state, evidence, effects)
    while rollout[0].stage == 0:
        rollout = _run(range(i + 4, i + 5), rollout)
        i += 1
    # Not two days again: only the clean ticks, to the end of the block.
    assert 8 <= i + 4 - start_of_shadow <= 8 + 4
    assert rollout[0].stage == 1


def test_reset_restarts_the_bad_group_detector_but_keeps_the_verdict() -> None:
    rollout, i = _until(SPEC, 3)
    state, evidence, effects = _run(range(i, i + 60), rollout, saving_frac=-0.03)
    detector = evidence.detector("inferior")
    assert detector is not None
    assert detector.count > 0
    state, _ = acts.trip(SPEC, state, (i + 59) * PERIOD_US, "ada", "test")
    count = evidence.benefit.cost.count
    state, evidence, effects = _run(range(i + 60, i + 63), (state, evidence, effects))
    state, _ = acts.reset(SPEC, state, evidence, (i + 62) * PERIOD_US, state.trip.id, "ada", "tested")  # type: ignore[union-attr]
    _, evidence, _ = _run(range(i + 63, i + 65), (state, evidence, effects))
    assert evidence.detector("inferior").count == 0  # type: ignore[union-attr]
    assert evidence.benefit.cost.count >= count


def test_one_person_can_revoke_authority_in_every_driving_state() -> None:
    rollout, i = _until(SPEC, 4)
    now = i * PERIOD_US
    for status in DRIVING:
        state = replace(rollout[0], status=status)
        assert acts.pause(state, now, "ada", "look")[0].status is RolloutStatus.PAUSED
        assert acts.trip(SPEC, state, now, "ada", "look")[0].status is RolloutStatus.TRIPPED
        assert acts.abort(state, now, "ada", "look")[0].status is RolloutStatus.ABORTED
        assert acts.demote(SPEC, state, rollout[1], now, "1 %", "ada", "look")[0].stage == 1


def test_resume_goes_on_with_new_groups_at_the_next_block() -> None:
    (state, _, _), i = _until(SPEC, 3)
    now = (i + 1) * PERIOD_US
    paused, _ = acts.pause(state, now, "ada", "look")
    resumed, _ = acts.resume(SPEC, paused, now, "ada", "looked")
    assert (resumed.stage, resumed.entry) == (3, state.entry + 1)
    assert assign(SPEC, resumed, now, KEY).share == 0.0
    assert assign(SPEC, resumed, resumed.first_block * SPEC.block_us, KEY).share == 0.25


@pytest.mark.parametrize(
    "plain",
    [None, {}, {"schema": 9}, {"schema": 1, "stage": 3}, [], "running"],
)
def test_a_stored_state_nobody_understands_is_tripped_and_critical(plain: Any) -> None:
    state = from_plain(plain, SPEC, "rollout", 5_000_000)
    assert state.status is RolloutStatus.TRIPPED
    assert state.trip is not None
    assert (state.trip.cause, state.trip.critical) == ("unknown_state", True)


def test_schema_1_names_the_specification_by_its_former_digest() -> None:
    state, _, _ = _begin()
    digests = schema_1.digests_of(SPEC.model_dump())
    assert len(digests) > len(SPEC.breakers)
    for digest in digests:
        stored = to_plain(state) | {"schema": 1, "spec_digest": digest}
        assert from_plain(stored, SPEC, "rollout", 5) == state
    assert from_plain(stored, quick_spec(), "rollout", 5).status is RolloutStatus.TRIPPED
    without = SPEC.model_copy(update={"outcome": SPEC.outcome.model_copy(update={"guard_clips": {}})})
    assert schema_1.digests_of(without.model_dump()) == frozenset()


def test_a_state_of_another_specification_or_rollout_is_tripped() -> None:
    state, _, _ = _begin()
    changed = from_plain(to_plain(state), quick_spec(), "rollout", 5)
    assert (changed.status, changed.trip.cause) == (RolloutStatus.TRIPPED, "specification_changed")  # type: ignore[union-attr]
    assert from_plain(to_plain(state), SPEC, "another", 5).trip.cause == "unknown_state"  # type: ignore[union-attr]
    unreadable = to_plain(state) | {"status": "fine"}
    assert from_plain(unreadable, SPEC, "rollout", 5).status is RolloutStatus.TRIPPED


def test_checks_show_their_comparison() -> None:
    rollout, i = _until(SPEC, 3)
    reasons = {c.name: c.reason for c in judge(SPEC, rollout[0], rollout[1], (i - 1) * PERIOD_US).checks}
    assert reasons["paired_blocks"] == "paired blocks (0) < required (2)"
    assert "lower end <=" in reasons["non_inferior"]


def test_candidate_fails_when_its_upper_bound_is_below_the_margin() -> None:
    (state, evidence, _), i = _until(SPEC, 3)
    cost = BettingSequence.of(0.05, 0.2)
    for _ in range(40):
        cost = cost.update(-0.1)
    worse = replace(evidence, benefit=replace(evidence.benefit, cost=cost), news=True)
    ended, _ = advance(SPEC, state, worse, (i - 1) * PERIOD_US)
    assert ended.status is RolloutStatus.ABORTED
    assert "upper end < -0.02" in ended.aborted_why


@FAST
@given(HISTORIES)
def test_advancing_twice_on_one_tick_changes_nothing_more(history: History) -> None:
    for state, evidence in _play(history):
        now = evidence.last.at_us if evidence.last else 0
        once, _ = advance(SPEC, state, evidence, now)
        again, _ = advance(SPEC, once, evidence, now)
        assert (again.stage, again.entry, again.trips_at_us) == (once.stage, once.entry, once.trips_at_us)


def test_no_checks_at_all_never_pass() -> None:
    assert combine([]) is GateOutcome.ERRORED


def test_a_frozen_candidate_is_reported_but_not_judged_by_it() -> None:
    state, evidence, _ = _begin()
    for i in range(100):
        tick = replace(_tick(SPEC, state, i), covariates=(float(i % 7),), targets=(18.0, 7.0))
        evidence = observe_tick(evidence, tick)
        state, _more = advance(SPEC, state, evidence, i * PERIOD_US)
    assert state.stage == 1
    shadow = replace(state, stage=0)
    frozen = [c for c in judge(SPEC, shadow, evidence, 99 * PERIOD_US).checks if c.name == "frozen_proposals"]
    assert (frozen[0].outcome, frozen[0].decides) == (GateOutcome.INCONCLUSIVE, False)


def test_an_act_without_a_name_or_a_reason_is_refused() -> None:
    state, _, _ = _begin()
    with pytest.raises(ActRefusedError, match="a name and a reason"):
        acts.pause(state, 0, "ada", "  ")


def test_entering_a_stage_forgets_approvals_and_marks_the_evidence() -> None:
    (state, evidence, _), i = _until(SPEC, 3)
    entered, effects = enter(SPEC, state, evidence, i * PERIOD_US, 4, "told to")
    assert entered.marks.groups == evidence.benefit.blocks.groups
    assert isinstance(effects[0], StageEntered)
