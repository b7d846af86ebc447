"""From a value that T0-T2 forbid: what is sent, what gives way for it, and for which setpoint. Held against plain oracles."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from safety.decide import decide, judge, judge_plainly, judge_proposal
from safety.envelope import Envelope, fresh_memory
from safety.forms.vectorised import Batch, accepts
from safety.guard import guard
from safety.loading.spec import build_envelope
from safety.ramp import Ramped
from safety.rules.base import Situation
from safety.values import Judgement, Memory, Observation, Outcome, Proposal, Rung, Signal, Source
from safety.verify import escaped
from tests.safety.support.golden import FOLDER, model_of
from tests.safety.support.seeded import seeded

PUMPS = {low: build_envelope(model_of({"base": "pumps", "change": {"A-HIGH": {"low": low}}})) for low in (50, 70, 90)}
ENVELOPE = PUMPS[50]
USUAL = FOLDER.usual("pumps")["targets"]
LISTED = (0.0, 1.0, 2.0, 3.0, 4.0)
RATE = 2.0
S = 1_000_000

pct = st.integers(0, 400).map(lambda n: n / 4.0)
anything = st.floats(-200, 200) | st.sampled_from([-0.0, 1e308, -1e308, 5e-324])
units = st.sampled_from(LISTED) | st.sampled_from([-1.0, 0.5, 1.3, 2.5, 3.999, 4.2, 9.0])
timers = st.sampled_from([(7200e6, 7200e6), (60e6, 60e6), (7200e6, 7200e6, 900e6, 600e6), (60e6, 7200e6, 300e6)])
targets = st.fixed_dictionaries({"pump_a_pct": pct, "pump_b_pct": pct, "units_on": st.sampled_from(LISTED)})
forbidden = st.fixed_dictionaries({"pump_a_pct": pct | anything, "pump_b_pct": pct | anything, "units_on": units})
signals = st.fixed_dictionaries({"return_c": st.sampled_from([20.0, 35.0]), "flow_kg_s": st.sampled_from([0.0, 20.0])})


def observed(measured: dict[str, float], readback: dict[str, float] | None = None) -> Observation:
    given = {name: Signal(value) for name, value in measured.items()}
    return Observation("pumps", "plant", 0, given, readback=readback)


def judged(
    envelope: Envelope,
    target: dict[str, float],
    last: dict[str, float],
    measured: dict[str, float],
    timer: tuple[float, ...],
) -> tuple[Judgement, Situation]:
    given = {name: Signal(value) for name, value in measured.items()}
    now = Situation(given, last, None, 300.0, {"UNITS-DWELL": timer})
    return judge_proposal(Proposal(Source.INCUMBENT, target), Rung.INCUMBENT, now, envelope), now


def waived(judgement: Judgement) -> set[str]:
    return {f.rule for f in judgement.verdict.findings if f.outcome is Outcome.WAIVED}


@seeded(400)
@given(target=targets, last=forbidden, measured=signals, ours=st.booleans(), timer=timers, answers=st.booleans())
def test_every_rung_sends_only_values_that_t0_permits(
    target: dict[str, float],
    last: dict[str, float],
    measured: dict[str, float],
    ours: bool,
    timer: tuple[float, ...],
    answers: bool,
) -> None:
    memory = Memory(
        last=last if ours else None, rung=Rung.INCUMBENT, rules={**fresh_memory(ENVELOPE).rules, "UNITS-DWELL": timer}
    )
    proposals = {Source.INCUMBENT: Proposal(Source.INCUMBENT, target)} if answers else {}
    ruling = decide(
        observed(measured, last), proposals, Source.INCUMBENT, ENVELOPE, memory, elapsed_us=300 * S, epoch=1
    )
    event(ruling.command.rung)
    assert not escaped(ENVELOPE, ruling, last)
    assert all(spec.fits(ruling.command.setpoints[spec.name]) for spec in ENVELOPE.setpoints)
    if ruling.command.rung is Rung.INCUMBENT:
        sent, judged = ruling.command.setpoints["units_on"], ruling.chosen
        assert sent == target["units_on"] or "units_on" in judged.waiting
        assert sent in (target["units_on"], last["units_on"]) or waived(judged) & {"UNITS-DWELL", "UNITS-FLOW"}


@seeded(200)
@given(last=forbidden, measured=signals)
def test_hold_and_guard_refuse_what_t0_does_not_permit(last: dict[str, float], measured: dict[str, float]) -> None:
    fits = all(spec.fits(last[spec.name]) for spec in ENVELOPE.setpoints)
    memory = Memory(last=last, rung=Rung.HOLD, rules=fresh_memory(ENVELOPE).rules)
    seen = observed(measured)
    ruling = decide(seen, {}, Source.INCUMBENT, ENVELOPE, memory, elapsed_us=30 * S, epoch=1)
    looked = guard(seen, last, ENVELOPE, memory, elapsed_us=30 * S)
    event(f"fits {fits}, {ruling.command.rung}")
    if not fits:
        assert ruling.command.rung is Rung.FAILSAFE
        assert looked.decide_now
        assert "T0-range" in {finding.rule for finding in looked.findings}
    else:
        assert (ruling.command.rung is Rung.HOLD) != looked.decide_now


@seeded(600)
@given(low=st.sampled_from([50, 70, 90]), target=targets, last=forbidden, measured=signals)
def test_slew_gives_way_for_one_setpoint_only_as_needed(
    low: int, target: dict[str, float], last: dict[str, float], measured: dict[str, float]
) -> None:
    envelope = PUMPS[low]
    judgement, now = judged(envelope, target, last, measured, (7200e6, 7200e6))
    gave_way = waived(judgement) & {"A-SLEW", "B-SLEW"} if judgement.verdict.accepted else set()
    event(f"{sorted(gave_way)}")
    for name, slew in (("pump_a_pct", "A-SLEW"), ("pump_b_pct", "B-SLEW")):
        moved = judgement.step[name] - last[name] if judgement.step else 0.0
        if slew not in gave_way:
            assert not judgement.verdict.accepted or abs(moved) <= RATE
            continue
        less = 1e-6 * max(1.0, abs(last[name]))
        nearer = {**judgement.step, name: judgement.step[name] - (less if moved > 0 else -less)}
        rest = judge(nearer, Ramped(nearer, (), frozenset(nearer)), Rung.INCUMBENT, now, envelope)
        assert not rest.accepted, (name, judgement.step)


@seeded(600)
@given(target=targets, last=forbidden, measured=signals, timer=timers)
def test_dwell_gives_way_to_the_nearest_permitted_value_alone(
    target: dict[str, float], last: dict[str, float], measured: dict[str, float], timer: tuple[float, ...]
) -> None:
    judgement, _ = judged(ENVELOPE, target, last, measured, timer)
    if not judgement.verdict.accepted:
        return
    before, sent, goal = last["units_on"], judgement.step["units_on"], target["units_on"]
    least = 1.0 if measured["return_c"] > 30.0 else 0.0
    ahead = [v for v in LISTED if v >= least and (before < v <= goal or goal <= v < before)]
    nearest = min(ahead, key=lambda v: abs(v - before), default=before)
    timed = timer[1] < 600e6 or len(timer) > 3 if goal > before else timer[0] < 600e6
    dry = goal > before and measured["flow_kg_s"] <= 5.0
    gave_way = waived(judgement) & {"UNITS-DWELL", "UNITS-FLOW"}
    event(f"{sorted(gave_way)}")
    must = before not in LISTED or before < least
    if goal == before or not (timed or dry):
        assert (sent, gave_way) == (goal, set())
    elif must:
        assert sent == nearest
        assert gave_way == {rule for rule, kept in (("UNITS-DWELL", timed), ("UNITS-FLOW", dry)) if kept}
    else:
        assert (sent, gave_way) == (before, set())


@pytest.mark.parametrize(("sent", "out"), [({}, False), ({"units_on": 1.3}, True), ({"pump_b_pct": 112.0}, True)])
@pytest.mark.parametrize("rung", [rung for rung in Rung if rung is not Rung.RELINQUISH])
def test_the_second_look_sees_a_value_that_is_not_listed(rung: Rung, sent: dict[str, float], out: bool) -> None:
    last = dict(USUAL)
    proposals = {Source.INCUMBENT: Proposal(Source.INCUMBENT, last)}
    memory = Memory(last=last, rung=Rung.INCUMBENT, rules=fresh_memory(ENVELOPE).rules)
    measured = {"return_c": 20.0, "flow_kg_s": 20.0}
    ruling = decide(observed(measured), proposals, Source.INCUMBENT, ENVELOPE, memory, elapsed_us=300 * S, epoch=1)
    command = replace(ruling.command, rung=rung, setpoints={**ruling.command.setpoints, **sent})
    assert escaped(ENVELOPE, replace(ruling, command=command), {**last, **sent}) is out


@pytest.mark.parametrize("rung", [Rung.CANDIDATE, Rung.OPERATOR, Rung.INCUMBENT, Rung.HOLD])
@pytest.mark.parametrize(
    ("name", "value"),
    [("units_on", 1.3), ("units_on", -0.5), ("units_on", 4.5), ("pump_b_pct", 100.5), ("pump_b_pct", -0.5)],
)
def test_every_form_refuses_a_step_that_t0_does_not_permit(rung: Rung, name: str, value: float) -> None:
    """Every rule permits it: dwell has run out, nothing slews, and the bound of pump B is wider than its range."""
    step = {**USUAL, name: value}
    given = {"return_c": Signal(20.0), "flow_kg_s": Signal(20.0)}
    now = Situation(given, step, step, 300.0, {"UNITS-DWELL": (7200e6, 7200e6)})
    judged = judge_plainly(step, Ramped(step), rung, now, ENVELOPE)
    refusing = {finding.rule for finding in judged.findings if finding.refuses}
    assert refusing == {"T0-range"} if 0.0 <= step["units_on"] <= 4.0 else "T0-range" in refusing
    assert repr(judge(step, Ramped(step), rung, now, ENVELOPE)) == repr(judged)
    forms = ENVELOPE.compiled[rung]
    for target in (step, USUAL):
        assert forms.accepts(target, step, now) is None
        assert forms.margins(target, step, now) is None
    assert forms.stands(step, step, now) is None
    assert forms.arrived(step, step, now) is None
    many = {each: np.array([number]) for each, number in step.items()}
    dwell = {"UNITS-DWELL": np.array([[7200e6, 7200e6, -inf]])}
    measured = {each: np.array([signal.value]) for each, signal in given.items()}
    batch = Batch(many, many, measured, np.array([300.0]), many, many, dwell)
    assert not accepts(ENVELOPE, rung, batch)[0]


def test_pump_joined_to_one_near_its_interlock_does_not_jump() -> None:
    last = {"pump_a_pct": 49.9, "pump_b_pct": 10.0, "units_on": 1.0}
    target = {"pump_a_pct": 50.0, "pump_b_pct": 100.0, "units_on": 1.0}
    judgement, _ = judged(ENVELOPE, target, last, {"return_c": 35.0, "flow_kg_s": 20.0}, (inf, inf))
    assert judgement.step == {"pump_a_pct": 50.0, "pump_b_pct": pytest.approx(12.0), "units_on": 1.0}
    assert judgement.verdict.findings == ()
