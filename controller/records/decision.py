"""The last value of a decision: everything that went in, what came out, and the digests of all that judged it.

Written once, never changed. What `decide` can derive again from it (margins, steps, permitted ranges) is not stored:
`ruling_digest` is over the ids and values of all that, so replay proves them equal bit for bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from safety.decide import decide
from safety.envelope import Envelope
from safety.inputs import Amended, manage
from safety.values import Command, Finding, Judgement, Memory, Observation, Proposal, Ruling, Rung, Signal, Source

SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256 names of all that took part: the candidate's bundle, the envelope, the kernel's code, the site's files."""

    policy: str
    envelope: str
    kernel: str
    site: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who was given this tick and why: the stage and block of the rollout, the probability of this assignment, or an override."""

    source: Source
    why: str
    stage: str = ""
    block: int = 0
    propensity: float = 0.0
    override: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is kept of a judgement: its outcome, its reasons, and the discrete setpoints that waited for a timer."""

    rung: Rung
    accepted: bool
    first_out: str
    findings: tuple[Finding, ...]
    waiting: tuple[str, ...]

    @classmethod
    def of(cls, judgement: Judgement) -> "Judged":
        verdict = judgement.verdict
        return cls(judgement.rung, verdict.accepted, verdict.first_out, verdict.findings, judgement.waiting)


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision, whole. Its identity is (plant, subject, taken_at); `version` is the schema version of its record.

    `observation` is what the plant reported, `measured` the measures of the candidate's proposal, such as its novelty;
    in records of version 1 these are among the observation's signals.
    """

    observation: Observation
    proposals: tuple[Proposal, ...]
    assignment: Assignment
    without: tuple[Source, ...]
    elapsed_us: int
    memory_before: Memory
    command: Command
    judged: tuple[Judged, ...]
    chosen: Judged
    removed: tuple[Source, ...]
    state: tuple[Finding, ...]
    memory_after: Memory
    ruling_digest: str
    digests: Digests
    latencies_us: Mapping[str, int] = field(default_factory=dict)
    version: int = SCHEMA_VERSION
    measured: Mapping[str, Signal] = field(default_factory=dict)

    @property
    def signals(self) -> Mapping[str, Signal]:
        """The plant's signals and the measures of the candidate's proposal, by name."""
        return Amended(self.observation.signals, self.measured)

    @property
    def id(self) -> str:
        """The identity as one word, safe in a path."""
        return decision_id(self.observation.plant, self.observation.subject, self.observation.taken_at)

    def judged_by(self, rung: Rung) -> Judged | None:
        """Return the recorded judgement of one rung, or None if that source did not propose."""
        return next((judged for judged in self.judged if judged.rung is rung), None)


def decision_id(plant: str, subject: str, taken_at: int) -> str:
    """(plant, subject, taken_at) as one word."""
    return f"{plant}.{subject}.{taken_at}"


def assemble(
    observation: Observation,
    proposals: Mapping[Source, Proposal],
    assignment: Assignment,
    memory_before: Memory,
    ruling: Ruling,
    *,
    without: frozenset[Source],
    elapsed_us: int,
    digests: Digests,
    ruling_digest: str,
    latencies_us: Mapping[str, int],
    measured: Mapping[str, Signal],
) -> Decision:
    """The decision of a ruling and of all that went into it."""
    return Decision(
        observation=observation,
        proposals=tuple(proposals[source] for source in Source if source in proposals),
        assignment=assignment,
        without=tuple(sorted(without)),
        elapsed_us=elapsed_us,
        memory_before=memory_before,
        command=ruling.command,
        judged=tuple(Judged.of(judgement) for judgement in ruling.judgements),
        chosen=Judged.of(ruling.chosen),
        removed=ruling.removed,
        state=ruling.state,
        memory_after=ruling.memory,
        ruling_digest=ruling_digest,
        digests=digests,
        latencies_us=latencies_us,
        measured=measured,
    )


def redecide(decision: Decision, envelope: Envelope) -> Ruling:
    """The ruling of a stored decision, made again from its stored inputs. Deterministic to the bit."""
    return decide(
        decision.observation,
        {proposal.source: proposal for proposal in decision.proposals},
        decision.assignment.source,
        envelope,
        decision.memory_before,
        elapsed_us=decision.elapsed_us,
        epoch=decision.command.epoch,
        without=frozenset(decision.without),
        measured=decision.measured,
    )


def proposers_view(decision: Decision, envelope: Envelope) -> Observation:
    """What those who proposed saw: the stored observation as the input manager passed it on, without what is permitted."""
    return manage(decision.observation, envelope.inputs, decision.memory_before, decision.elapsed_us).observation
