"""What a loop is made of, and what it hands from step to step of a tick. `bootstrap` chooses each part."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controller.loop.checkpoint import LoopState
from controller.loop.operator_commands import Operators
from controller.loop.pilot import Pilot
from controller.ports import Candidate, Companions, Event, Incumbent, Meter, Outcome, Plant
from controller.records.decision import Assignment, Decision, Digests
from controller.records.tick_entry import Spool, TickEntry
from controller.rollout import blocks
from controller.rollout.gates import Gate
from controller.rollout.spec import RolloutSpec
from safety.envelope import Envelope
from safety.inputs import Managed
from safety.values import Observation, Proposal, Ruling, Signal, Source
from shadow.comparison import Comparison


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one plant's loop.

    `key` draws the blocks, `deadbands` say by setpoint what counts as agreement, `epoch` numbers the control process, and
    `wall_us` is a monotonic clock.
    """

    plant: Plant
    incumbent: Incumbent
    candidate: Candidate
    envelope: Envelope
    spec: RolloutSpec
    key: bytes
    spool: Spool
    operators: Operators
    digests: Digests
    deadbands: Mapping[str, float]
    epoch: int
    wall_us: Callable[[], int]
    companions: Companions
    watchers: "tuple[Watcher, ...]" = ()
    meter: Meter = lambda seen, proposal: {}

    @property
    def pilot(self) -> Pilot:
        """The envelope with the incumbent."""
        return Pilot(self.envelope, self.incumbent)


class Watcher:
    """Sees every tick after it is durable: metrics, live status. Must be quick and must not raise."""

    def decided(self, tick: "Tick") -> None: ...

    def happened(self, event: Event) -> None: ...

    def began(self, late_s: float) -> None:
        """A tick began `late_s` of wall time after it was due; only a paced plant knows."""


@dataclass(frozen=True, slots=True)
class Observed:
    """The plant at the start of a decision.

    `reported` is the plant's own observation, which the record keeps; `managed` is the same with its inputs managed, as
    proposers see it. `before` is the state that the decision starts from. `drawn` is the block's own assignment, `assignment`
    the override's if there is one. `outcome` is that of the interval before.
    """

    reported: Observation
    managed: Managed
    before: LoopState
    drawn: blocks.BlockAssignment
    assignment: Assignment
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Answers:
    """The candidate's answers, the plant's first and then its companions', and what the meter measures of each."""

    proposals: list[Proposal]
    measured: list[Mapping[str, Signal]]


@dataclass(frozen=True, slots=True)
class Proposed:
    """All proposals of a decision, the incumbent's memory after its own, and how long each source took [us]."""

    proposals: Mapping[Source, Proposal]
    incumbent_memory: Mapping[str, object]
    answers: Answers
    latencies_us: Mapping[str, int]

    @property
    def measured(self) -> Mapping[str, Signal]:
        """The measures of the candidate's proposal for the plant."""
        return self.answers.measured[0]


@dataclass(frozen=True, slots=True)
class Tick:
    """A decision with all that follows from it. `gate()` is the gate of the stage after it, judged once."""

    decision: Decision
    ruling: Ruling
    comparison: Comparison
    state: LoopState
    gate: Callable[[], Gate]
    entry: TickEntry
