"""The difference of candidate and incumbent on one tick, per channel, in engineering units, after the envelope.

Disagreement is not error: the incumbent is not a ground truth. The class says what kind of disagreement it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from safety.values import Judgement, Rung, Setpoints

COMPARATOR_VERSION = 1


class ComparisonClass(StrEnum):
    """The kinds of disagreement, the more serious ones last."""

    AGREE = "agree"
    DIFFER = "differ"
    ONLY_INCUMBENT_REFUSED = "only_incumbent_refused"
    ONLY_CANDIDATE_REFUSED = "only_candidate_refused"
    BOTH_REFUSED = "both_refused"
    CANDIDATE_FAILED = "candidate_failed"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One tick's comparison. `channels` is candidate's step minus incumbent's; `flips` the channels they move opposite ways."""

    plant: str
    subject: str
    taken_at: int
    comparison_class: ComparisonClass
    channels: Mapping[str, float]
    flips: tuple[str, ...]
    in_control: Rung
    version: int = COMPARATOR_VERSION


def compare(
    plant: str,
    subject: str,
    taken_at: int,
    incumbent: Judgement | None,
    candidate: Judgement | None,
    last: Setpoints | None,
    in_control: Rung,
    deadbands: Mapping[str, float],
) -> Comparison:
    """Compare the two steps. A channel agrees within its deadband (engineering units, default 0)."""
    channels, flips = _differences(incumbent, candidate, last)
    comparison_class = _class_of(incumbent, candidate, channels, deadbands)
    return Comparison(plant, subject, taken_at, comparison_class, channels, flips, in_control)


def _class_of(
    incumbent: Judgement | None,
    candidate: Judgement | None,
    channels: Mapping[str, float],
    deadbands: Mapping[str, float],
) -> ComparisonClass:
    if candidate is None or not candidate.step:
        return ComparisonClass.CANDIDATE_FAILED
    refused = not candidate.verdict.accepted
    incumbent_refused = incumbent is None or not incumbent.verdict.accepted
    if refused:
        return ComparisonClass.BOTH_REFUSED if incumbent_refused else ComparisonClass.ONLY_CANDIDATE_REFUSED
    if incumbent_refused:
        return ComparisonClass.ONLY_INCUMBENT_REFUSED
    differs = any(abs(difference) > deadbands.get(name, 0.0) for name, difference in channels.items())
    return ComparisonClass.DIFFER if differs else ComparisonClass.AGREE


def _differences(
    incumbent: Judgement | None, candidate: Judgement | None, last: Setpoints | None
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Per channel candidate minus incumbent, and the channels that the two move in opposite directions."""
    if incumbent is None or candidate is None or not incumbent.step or not candidate.step:
        return {}, ()
    channels = {name: candidate.step[name] - value for name, value in incumbent.step.items()}
    if last is None:
        return channels, ()
    flips = (
        name for name, value in incumbent.step.items() if (value - last[name]) * (candidate.step[name] - last[name]) < 0
    )
    return channels, tuple(flips)
