"""The evidence itself, and its plain form on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import msgspec

from shadow.evidence.expectation import Expectation
from shadow.evidence.migrate import from_schema_1
from shadow.evidence.outcome import OpenBlock, OpenGroup
from shadow.evidence.tick import EvidenceSettings, TickEvidence
from shadow.statistics import AllocationTest, BettingSequence, ChangeDetector, MeanSequence

SCHEMA = 2


class EvidenceError(ValueError):
    """Stored evidence that cannot be read."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts per tick. `shadowed`: asked but not given the tick; `driven`: given it by assignment (even if vetoed)."""

    ticks: int = 0
    shadowed: int = 0
    shadowed_refused: int = 0
    shadowed_unusable: int = 0
    driven: int = 0
    driven_refused: int = 0
    driven_unusable: int = 0
    clean_in_a_row: int = 0
    """Usable proposals since the last one that was not."""
    status_in_a_row: int = 0
    """Ticks for which `candidate_status` has been what it was on the last tick."""
    driven_breach_s: float = 0.0
    """Time outside limits while the candidate had control [s]."""
    incumbent_breach_s: float = 0.0
    """The same while anyone else had it [s]."""
    last_driven_breach_s: float = 0.0
    """The part of `driven_breach_s` that the last tick brought [s]."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Counts per finished block and group."""

    incumbent: int = 0
    candidate: int = 0
    candidate_clean: int = 0
    """Candidate blocks that ran their whole length without a breach."""
    candidate_cut: int = 0
    """Candidate blocks that a breaker, a person or a gap ended early; they stay in the outcome."""
    groups: int = 0
    """Groups that gave a paired difference."""
    groups_unscored: int = 0
    """Groups whose candidate blocks had no usable measurement."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """Smallest and largest value per channel so far."""

    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def widen(self, values: tuple[float, ...]) -> Self:
        """The ranges with one more reading per channel; a changed number of channels starts again."""
        if len(values) != len(self.low):
            return type(self)(values, values)
        for low, value, high in zip(self.low, values, self.high, strict=True):
            if not low <= value <= high:
                break
        else:
            return self
        return type(self)(tuple(map(min, self.low, values)), tuple(map(max, self.high, values)))

    def spans(self) -> tuple[float, ...]:
        """Largest less smallest, per channel."""
        return tuple(h - low for low, h in zip(self.low, self.high, strict=True))


@dataclass(frozen=True, slots=True)
class Benefit:
    """What finished blocks and groups tell; it changes once a block, not once a tick."""

    cost: BettingSequence
    """Confidence sequence of the saving per group [fraction of expected cost]."""
    guards: Mapping[str, BettingSequence]
    """By guard, the confidence sequence of what the candidate spares of it [unit of the guard per block]."""
    drift: MeanSequence
    """The saving again, valid for its running average if it drifts."""
    blocks: Blocks = Blocks()
    model: Expectation = field(default_factory=Expectation)
    allocation: AllocationTest = field(default_factory=AllocationTest)
    group: OpenGroup | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything seen of one bundle on one plant. Make it with `start`, grow it with `observe_tick`."""

    bundle: str
    plant: str
    settings: EvidenceSettings
    benefit: Benefit
    detectors: tuple[ChangeDetector, ...]
    """One per `settings.detectors`."""
    last: TickEvidence | None = None
    news: bool = False
    """Whether the last tick brought an event or finished a block; without it no gate can have become FAILED."""
    tally: Tally = Tally()
    block: OpenBlock | None = None
    targets: Ranges = Ranges()
    surroundings: Ranges = Ranges()

    @classmethod
    def start(cls, bundle: str, plant: str, settings: EvidenceSettings) -> Self:
        """No evidence yet."""
        benefit = Benefit(
            BettingSequence.of(settings.alpha, settings.cost_clip_frac),
            {name: BettingSequence.of(settings.alpha, clip) for name, clip in settings.guard_clips.items()},
            MeanSequence(settings.alpha, settings.cost_clip_frac),
        )
        return cls(bundle, plant, settings, benefit, tuple(ChangeDetector.of(d.p0, d.bet) for d in settings.detectors))

    def detector(self, signal: str) -> ChangeDetector | None:
        """The detector over `signal`, or None where none is declared."""
        for declared, detector in zip(self.settings.detectors, self.detectors, strict=True):
            if declared.signal == signal:
                return detector
        return None


def to_plain(evidence: Evidence) -> dict[str, Any]:
    """Dicts, lists, strings and numbers only; NaN, infinities and -0.0 are kept."""
    plain: dict[str, Any] = msgspec.to_builtins(evidence)
    return {"schema": SCHEMA} | plain


def parts(evidence: Evidence) -> dict[str, Any]:
    """What `to_plain` makes plain, as it is: for an encoder that takes such values, and leaves out what has not changed."""
    return {"schema": SCHEMA} | {name: getattr(evidence, name) for name in _NAMES}


_NAMES = tuple(field.name for field in fields(Evidence))


def from_plain(plain: Mapping[str, Any], guards: Sequence[str] = ()) -> Evidence:
    """The evidence `to_plain` was given, exactly. Raises EvidenceError on what is not evidence.

    `guards` names the guards of the plant: evidence of schema 1 counted one guard and did not name it.
    """
    schema = plain.get("schema")
    if schema not in (1, SCHEMA):
        raise EvidenceError(f"stored evidence has `schema` {schema!r}, this version reads 1 and {SCHEMA}")
    try:
        if schema == 1:
            plain = from_schema_1(plain, guards)
        evidence = msgspec.convert({k: v for k, v in plain.items() if k != "schema"}, Evidence)
    except (msgspec.ValidationError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvidenceError(f"stored evidence cannot be read: {error}") from None
    if len(evidence.detectors) != len(evidence.settings.detectors):
        raise EvidenceError("stored evidence has a different number of detectors than its own settings declare")
    return evidence
