"""The values of one decision, each made from the one before, none of them ever changed.

    Observation -> Proposal -> Verdict -> Command -> Decision            later: Receipt

`Decision` itself is assembled in `controller.records.decision`, because it also names what this kernel must not know
(stage, bundle, latencies). Everything here is engineering units, integer microseconds, and the standard library.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

Setpoints = Mapping[str, float]
RuleState = tuple[float, ...]


class Quality(StrEnum):
    """What is known of a signal's value."""

    GOOD = "good"
    BAD = "bad"
    STALE = "stale"


class Source(StrEnum):
    """Who may propose."""

    INCUMBENT = "incumbent"
    CANDIDATE = "candidate"
    OPERATOR = "operator"


class Status(StrEnum):
    """How a proposal came about. Everything but OK is a recorded failure of its source, never of the loop."""

    OK = "ok"
    LATE = "late"
    FAILED = "failed"
    OVER_MEMORY = "over_memory"
    NOT_FINITE = "not_finite"
    WRONG_SHAPE = "wrong_shape"
    ABSENT = "absent"


class Rung(StrEnum):
    """The steps of the ladder, from most to least clever; the last one is always available."""

    CANDIDATE = "candidate"
    OPERATOR = "operator"
    INCUMBENT = "incumbent"
    HOLD = "hold"
    FAILSAFE = "failsafe"
    RELINQUISH = "relinquish"


class Authority(StrEnum):
    """Whose commands the plant obeys: ours, or its own local system's."""

    OURS = "ours"
    LOCAL = "local"


class Tier(IntEnum):
    """Precedence of a rule. A lower number wins where two contradict each other."""

    T0 = 0  # finite and schema
    T1 = 1  # trips and absolute limits
    T2 = 2  # freeze, condensation, flow interlocks
    T3 = 3  # equipment dwell
    T4 = 4  # slew
    T5 = 5  # policy only


class Outcome(StrEnum):
    """What one rule found. VETO and ERROR refuse; WAIVED and SKIPPED are recorded and do not."""

    OK = "ok"
    VETO = "veto"
    ERROR = "error"
    WAIVED = "waived"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Signal:
    """A measured value with what is known of it. `age_us` is monotonic time since it was measured."""

    value: float
    quality: Quality = Quality.GOOD
    age_us: int = 0

    @property
    def good(self) -> bool:
        return self.quality is Quality.GOOD


@dataclass(frozen=True, slots=True)
class Permitted:
    """What a setpoint may be set to now, so that a policy need not guess; `wait_us` until a discrete change is free."""

    low: float
    high: float
    values: tuple[float, ...] | None = None
    wait_us: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known of the plant at `taken_at` (plant clock, microseconds since the epoch, UTC).

    `applied` is the last command in force and `readback` what the plant reports of it; None where that is missing.
    """

    plant: str
    subject: str
    taken_at: int
    signals: Mapping[str, Signal]
    applied: Setpoints | None = None
    readback: Setpoints | None = None
    availability: Mapping[str, bool] = field(default_factory=dict)
    authority: Authority = Authority.OURS
    permitted: Mapping[str, Permitted] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proposal:
    """Targets wanted by a source, in engineering units. `targets` is empty unless the source answered."""

    source: Source
    targets: Setpoints
    status: Status = Status.OK
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule said, in words. `about` is `target`, `step` or `state`; `margin` is in the rule's own unit."""

    rule: str
    tier: Tier
    outcome: Outcome
    margin: float
    about: str
    detail: str

    @property
    def refuses(self) -> bool:
        return self.outcome is Outcome.VETO or self.outcome is Outcome.ERROR


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one proposal on one rung.

    `findings` holds every rule that did not simply pass, sorted by tier and id; `margins` every rule's distance
    to its limit (>= 0 inside), the smaller one of target and step. `first_out` is the rule named first to the operator.
    """

    accepted: bool
    findings: tuple[Finding, ...]
    margins: Mapping[str, float]
    first_out: str
    envelope_digest: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """A proposal, the step `ramp` made of it, and the verdict on both. Hypothetical unless its rung was chosen."""

    rung: Rung
    target: Setpoints
    step: Setpoints
    verdict: Verdict
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """The setpoints sent to the plant. Made only from an accepting verdict; empty setpoints relinquish to the local system.

    The port drops it after `valid_for_us` and refuses an `epoch` lower than the highest it has seen.
    """

    setpoints: Setpoints
    rung: Rung
    valid_for_us: int
    epoch: int

    @classmethod
    def from_judgement(cls, judgement: Judgement, *, valid_for_us: int, epoch: int) -> "Command":
        """The command of an accepted judgement. Raises ValueError on a refused one: there is no other way to a command."""
        if not judgement.verdict.accepted:
            raise ValueError(
                f"a refused judgement ({judgement.verdict.first_out}) makes no command: take the next rung"
            )
        return cls(judgement.step, judgement.rung, valid_for_us, epoch)


@dataclass(frozen=True, slots=True)
class Latch:
    """A trip that stays until an operator resets it. `first_out` is the finding that set it."""

    rule: str
    first_out: Finding


@dataclass(frozen=True, slots=True)
class Memory:
    """All the envelope remembers from tick to tick, as durations. One per plant; goes into `decide` and comes out of it.

    `last` is this service's command in force, `rung` the rung that sent it and `since_us` how long ago. `rules` is the
    private state of each stateful rule, `held_us` how long the hold rung has been in use, `failsafe` the fail-safe entry in
    force, `latches` what has tripped, oldest first.
    """

    last: Setpoints | None = None
    rung: Rung | None = None
    since_us: int = 0
    rules: Mapping[str, RuleState] = field(default_factory=dict)
    held_us: int = 0
    failsafe: str | None = None
    latches: tuple[Latch, ...] = ()


@dataclass(frozen=True, slots=True)
class Ruling:
    """What `decide` returns: the command, every judgement it made on the way, and the memory for the next tick.

    `removed` names the sources that had no authority this tick; `state` the findings of the state rules that removed it.
    """

    command: Command
    chosen: Judgement
    judgements: tuple[Judgement, ...]
    removed: tuple[Source, ...]
    state: tuple[Finding, ...]
    memory: Memory
    dt_s: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the plant did with a command: the setpoints in force and read back at `at` (plant clock, microseconds)."""

    decision: str
    applied: Setpoints | None
    readback: Setpoints | None
    at: int
    accepted: bool
    detail: str = ""
