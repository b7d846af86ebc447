"""What must hold to leave a stage, judged on the evidence: each check shows its comparison in words."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from controller.rollout.checks import (
    COST,
    REPORTED_ONLY,
    AllocationCheck,
    CheckSpec,
    CleanBlocks,
    DurationCheck,
    FrozenProposals,
    NonInferior,
    PairedBlocks,
    RefusalsBelow,
    RefusalsNotAbove,
    Saving,
)
from controller.rollout.spec import RolloutSpec
from controller.rollout.state import Marks, RolloutState
from shadow.evidence import Evidence
from shadow.statistics import BettingSequence, BreachTest, CertifyTest

US_PER_DAY = 86_400_000_000


class GateOutcome(StrEnum):
    """FAILED: the opposite is established. ERRORED: it could not be measured. INCONCLUSIVE: patience is at its end."""

    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ERRORED = "errored"


@dataclass(frozen=True, slots=True)
class Check:
    """One measured condition. One that does not decide is reported and changes nothing."""

    name: str
    outcome: GateOutcome
    reason: str
    decides: bool = True


@dataclass(frozen=True, slots=True)
class Gate:
    """The checks of a stage, and what they come to."""

    stage: str
    outcome: GateOutcome
    checks: tuple[Check, ...]

    @property
    def why(self) -> str:
        """The reasons of the deciding checks that gave the outcome."""
        wanted = GateOutcome.PENDING if self.outcome is GateOutcome.INCONCLUSIVE else self.outcome
        return "; ".join(check.reason for check in self.checks if check.decides and check.outcome is wanted)


def judge(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now_us: int) -> Gate:
    """The gate of the present stage, now. FAILED beats ERRORED beats PENDING; PASSED needs every deciding check.

    PENDING becomes INCONCLUSIVE when the stage's patience is at its end: it then waits for a person.
    """
    stage = spec.stages[state.stage]
    checks = [_fresh(spec, evidence, now_us)]
    if state.re_entry and state.stage == 0:
        checks.append(_settled(spec, state, evidence, now_us))
    checks += [judge_check(check, state, evidence) for check in stage.checks]
    outcome = combine(checks)
    if outcome is GateOutcome.PENDING and now_us - state.patience_from_us >= stage.patience_days * US_PER_DAY:
        outcome = GateOutcome.INCONCLUSIVE
    return Gate(stage.name, outcome, tuple(checks))


def judge_once(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now_us: int) -> Callable[[], Gate]:
    """A function that judges the gate when it is first called, and returns the same gate from then on."""
    return cache(lambda: judge(spec, state, evidence, now_us))


def combine(checks: list[Check]) -> GateOutcome:
    """The outcome of checks together; of none that decides, ERRORED."""
    outcomes = {check.outcome for check in checks if check.decides}
    for outcome in (GateOutcome.FAILED, GateOutcome.ERRORED, GateOutcome.INCONCLUSIVE, GateOutcome.PENDING):
        if outcome in outcomes:
            return outcome
    return GateOutcome.PASSED if outcomes else GateOutcome.ERRORED


def judge_check(check: CheckSpec, state: RolloutState, evidence: Evidence) -> Check:
    """One check on the evidence."""
    outcome, reason = _judged(check, state, evidence)
    return Check(check.kind, outcome, reason, not isinstance(check, REPORTED_ONLY))


def marks_of(evidence: Evidence) -> Marks:
    """The counts a stage starts from."""
    blocks = evidence.benefit.blocks
    return Marks(_candidate_ticks(evidence), blocks.candidate_clean, blocks.groups, blocks.groups_unscored)


def _judged(check: CheckSpec, state: RolloutState, evidence: Evidence) -> tuple[GateOutcome, str]:
    match check:
        case DurationCheck():
            ticks = _candidate_ticks(evidence) - (state.marks.ticks if state.stage else 0)
            days = ticks * evidence.settings.period_us / US_PER_DAY
            return _at_least("observed days", round(days, 2), check.days, days >= check.days)
        case RefusalsBelow():
            return _refusals_below(check, evidence)
        case RefusalsNotAbove():
            return _refusals_not_above(check, evidence)
        case CleanBlocks():
            blocks = evidence.benefit.blocks.candidate_clean - state.marks.clean_blocks
            return _at_least("whole candidate blocks without a breach", blocks, check.blocks, blocks >= check.blocks)
        case PairedBlocks():
            return _paired_blocks(check, state, evidence)
        case NonInferior():
            sequence = evidence.benefit.cost if check.metric == COST else evidence.benefit.guards[check.metric]
            return _above(sequence, -check.delta, -check.delta, f"{check.metric} benefit")
        case Saving():
            return _above(evidence.benefit.cost, 0.0, -check.delta, f"{COST} benefit")
        case AllocationCheck():
            return _allocation(check, evidence)
        case FrozenProposals():
            return _frozen(check, evidence)


def _at_least(what: str, have: float, want: float, reached: bool) -> tuple[GateOutcome, str]:
    if reached:
        return GateOutcome.PASSED, f"{what} ({have:g}) >= required ({want:g})"
    return GateOutcome.PENDING, f"{what} ({have:g}) < required ({want:g})"


def _counts(scope: str, evidence: Evidence) -> tuple[int, int, int]:
    """Trials, refusals, unusable proposals (refusals included)."""
    tally = evidence.tally
    if scope == "driven":
        return tally.driven, tally.driven_refused, tally.driven_unusable
    return tally.shadowed, tally.shadowed_refused, tally.shadowed_unusable


def _refusals_below(check: RefusalsBelow, evidence: Evidence) -> tuple[GateOutcome, str]:
    trials, refused, unusable = _counts(check.scope, evidence)
    if BreachTest.of(check.p0).seen(trials, refused).rejected(check.breach_alpha):
        return GateOutcome.FAILED, _above_limit(check.scope, trials, refused, check.p0)
    log_e = CertifyTest.of(check.p0).seen(trials, unusable).log_e()
    want = 1.0 / check.alpha
    have = f"evidence for a rate of unusable {check.scope} proposals below {check.p0:g}, with {unusable} in {trials},"
    if log_e >= math.log(want):
        return GateOutcome.PASSED, f"{have} (e = {math.exp(min(log_e, 700.0)):.3g}) >= required ({want:.3g})"
    return GateOutcome.PENDING, f"{have} (e = {math.exp(log_e):.3g}) < required ({want:.3g})"


def _refusals_not_above(check: RefusalsNotAbove, evidence: Evidence) -> tuple[GateOutcome, str]:
    trials, refused, _ = _counts(check.scope, evidence)
    if BreachTest.of(check.p0).seen(trials, refused).rejected(check.breach_alpha):
        return GateOutcome.FAILED, _above_limit(check.scope, trials, refused, check.p0)
    return (
        GateOutcome.PASSED,
        f"refusals of {check.scope} proposals ({refused} in {trials}) not established above {check.p0:g}",
    )


def _above_limit(scope: str, trials: int, refused: int, p0: float) -> str:
    return f"refusals of {scope} proposals ({refused} in {trials}) established above {p0:g}"


def _paired_blocks(check: PairedBlocks, state: RolloutState, evidence: Evidence) -> tuple[GateOutcome, str]:
    blocks = evidence.benefit.blocks
    groups = blocks.groups - state.marks.groups
    lost = blocks.groups_unscored - state.marks.groups_unscored
    if lost > 1 and lost > check.max_unscored_frac * (groups + lost):
        return (
            GateOutcome.ERRORED,
            f"groups without a measurement ({lost} of {groups + lost}) > {check.max_unscored_frac:g}",
        )
    return _at_least("paired blocks", groups, check.groups, groups >= check.groups)


def _above(sequence: BettingSequence, floor: float, worst: float, what: str) -> tuple[GateOutcome, str]:
    """PASSED if the lower end is above `floor`, FAILED if the upper end is below `worst`."""
    low, high = sequence.interval()
    shown = f"{what} after {sequence.count} groups in [{low:+.4g}, {high:+.4g}]"
    if high < worst:
        return GateOutcome.FAILED, f"{shown}: upper end < {worst:+.4g}"
    if low > floor:
        return GateOutcome.PASSED, f"{shown}: lower end > {floor:+.4g}"
    return GateOutcome.PENDING, f"{shown}: lower end <= {floor:+.4g}"


def _allocation(check: AllocationCheck, evidence: Evidence) -> tuple[GateOutcome, str]:
    test = evidence.benefit.allocation
    shown = f"blocks driven by the candidate ({test.candidate} of {test.candidate + test.incumbent})"
    if test.rejected(check.alpha):
        return GateOutcome.ERRORED, f"{shown} differ from the share declared ({test.share:g})"
    return GateOutcome.PASSED, f"{shown} agree with the share declared ({test.share:g})"


def _frozen(check: FrozenProposals, evidence: Evidence) -> tuple[GateOutcome, str]:
    moved, around = max(evidence.targets.spans(), default=0.0), max(evidence.surroundings.spans(), default=0.0)
    if around <= 0.0 or not evidence.targets.low:
        return GateOutcome.PENDING, "neither surroundings nor targets have been seen to move yet"
    if moved <= check.least_span:
        return (
            GateOutcome.INCONCLUSIVE,
            f"largest span of the targets ({moved:g}) <= {check.least_span:g}: a constant policy",
        )
    return GateOutcome.PASSED, f"largest span of the targets ({moved:g}) > {check.least_span:g}"


def _fresh(spec: RolloutSpec, evidence: Evidence, now_us: int) -> Check:
    age_s = math.inf if evidence.last is None else (now_us - evidence.last.at_us) / 1e6
    if 0.0 <= age_s <= 2 * spec.period_s:
        return Check(
            "fresh", GateOutcome.PASSED, f"age of the evidence ({age_s:g} s) <= two periods ({2 * spec.period_s} s)"
        )
    return Check("fresh", GateOutcome.ERRORED, f"age of the evidence ({age_s:g} s) not within two periods of now")


def _settled(spec: RolloutSpec, state: RolloutState, evidence: Evidence, now_us: int) -> Check:
    since_s, wanted = (now_us - state.entered_at_us) // 1_000_000, spec.reset.clean_ticks
    clean = min(evidence.tally.clean_in_a_row, _candidate_ticks(evidence) - state.marks.ticks)
    if since_s < spec.reset.settle_s:
        return Check(
            "settled", GateOutcome.PENDING, f"seconds since the reset ({since_s}) < required ({spec.reset.settle_s})"
        )
    return Check("settled", *_at_least("clean proposals in a row since the reset", clean, wanted, clean >= wanted))


def _candidate_ticks(evidence: Evidence) -> int:
    return evidence.tally.shadowed + evidence.tally.driven
