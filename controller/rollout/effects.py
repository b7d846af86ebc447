"""What `advance` and the acts of operators ask the caller to do: record, publish, tell someone. Values only."""

from dataclasses import dataclass

from controller.rollout.state import RolloutTrip


@dataclass(frozen=True, slots=True)
class StageEntered:
    """A stage was entered; the candidate drives its share from `first_block` on."""

    at_us: int
    stage: str
    first_block: int
    why: str
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tripped:
    """The latch opened: the incumbent is in control. Write this durably before anything else."""

    at_us: int
    trip: RolloutTrip
    locked_out: bool


@dataclass(frozen=True, slots=True)
class Aborted:
    """The rollout is over and never comes back by itself."""

    at_us: int
    why: str
    by: str


@dataclass(frozen=True, slots=True)
class Held:
    """A gate is inconclusive: a person must decide."""

    at_us: int
    stage: str
    why: str


@dataclass(frozen=True, slots=True)
class ApprovalWanted:
    """A gate has passed and people must agree before the next stage."""

    at_us: int
    stage: str
    next_stage: str
    wanted: int
    why: str


@dataclass(frozen=True, slots=True)
class Completed:
    """The last gate has passed. The candidate keeps its share; gates and breakers stay."""

    at_us: int
    why: str


@dataclass(frozen=True, slots=True)
class AuditNote:
    """Something a person did, or something worth a line in the audit trail."""

    at_us: int
    what: str
    reason: str
    by: str = ""


Effect = StageEntered | Tripped | Aborted | Held | ApprovalWanted | Completed | AuditNote
