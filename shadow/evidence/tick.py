"""What one control tick tells about the candidate, and the numbers fixed before anything was seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

OK = "ok"
ABSENT = "absent"
"""The candidate was not asked (its process is being restarted, its latch is open): no evidence either way."""

STATUSES = frozenset({OK, ABSENT, "late", "failed", "nan", "shape"})


@dataclass(frozen=True, slots=True)
class TickEvidence:
    """The decision taken at `at_us`, and the outcome of the interval that ended there.

    The outcome belongs to the source that had control since the tick before, so it is credited to the block of that tick.
    """

    at_us: int
    """Plant time of the decision [us]."""
    stage: str
    """Name of the stage, for the record."""
    block: int
    """Index of the time block of this decision."""
    assigned: str
    """`incumbent` or `candidate`: what the assignment said, whichever source acted."""
    in_control: str
    """The source that acted: `candidate`, `incumbent`, `operator`, or a lower rung of the ladder."""
    candidate_status: str = OK
    """`ok`, `late`, `failed`, `nan`, `shape`, or `absent` when it was not asked."""
    candidate_refused: bool = False
    """The envelope vetoed the candidate's proposal, or would have."""
    hard_veto: bool = False
    """The veto came from a tier that protects equipment or people."""
    cost: float | None = None
    """Cost of the interval that ended, in the plant's unit; None where the meter gave nothing."""
    covariates: tuple[float, ...] = ()
    """What the interval's cost depends on and no controller can change, in the plant's units and order."""
    guards: Mapping[str, float] = field(default_factory=dict)
    """What must not grow while the cost falls, by name, in the plant's units; NaN where it could not be measured."""
    breach_s: float = 0.0
    """Time the plant spent outside its limits in the interval [s]."""
    entry: int = 0
    """Which entry into a stage this block belongs to; a new entry starts new groups."""
    group: int = -1
    """Index of the permuted group within the entry; -1 outside of groups."""
    share: float = 0.0
    """Probability with which this block was the candidate's; 0 where the candidate could not have it."""
    targets: tuple[float, ...] = ()
    """The candidate's targets, engineering units; empty when it had none."""
    causes: tuple[str, ...] = ()
    """Causes found outside the decision, by name: `envelope_trip`, `audit_failure`, `memory_over_limit`."""

    def __post_init__(self) -> None:
        if self.candidate_status not in STATUSES:
            raise ValueError(f"`candidate_status` is `{self.candidate_status}`; valid: {sorted(STATUSES)}")
        if self.assigned not in ("candidate", "incumbent"):
            raise ValueError(f"`assigned` is `{self.assigned}`; valid: `candidate`, `incumbent`")

    @property
    def usable(self) -> bool:
        """Whether the candidate gave a proposal that could have been used."""
        return self.candidate_status == OK and not self.candidate_refused


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """A change detector over one signal: `refused`, `unusable` (per tick asked) or `inferior` (per scored group)."""

    signal: str
    p0: float
    bet: float


@dataclass(frozen=True, slots=True)
class EvidenceSettings:
    """What must be fixed before the first tick, or the statistics would mean nothing."""

    period_us: int = 300_000_000
    block_ticks: int = 48
    washout_ticks: int = 12
    alpha: float = 0.05
    cost_clip_frac: float = 0.2
    """A group's saving is cut to plus or minus this [fraction of expected cost]."""
    guard_clips: Mapping[str, float] = field(default_factory=dict)
    """The same for each guard that is counted, by name [unit of the guard per block]."""
    min_scored_share: float = 0.25
    """Groups are scored for benefit from this share on; below it a group takes weeks and proves nothing of benefit."""
    model_blocks: int = 24
    """Incumbent blocks the expectation must have seen before a group is scored."""
    forgetting: float = 0.995
    """Weight a past block keeps per later block; 0.995 forgets by half in 23 days of 4 h blocks."""
    detectors: tuple[DetectorSettings, ...] = ()

    @property
    def block_us(self) -> int:
        """Length of a block [us]."""
        return self.period_us * self.block_ticks
