"""How long each stage must take at best: computed from limits, levels and shares, never configured by feel."""

import math
from dataclasses import dataclass
from functools import lru_cache

from controller.rollout.checks import (
    COST,
    CheckSpec,
    CleanBlocks,
    DurationCheck,
    NonInferior,
    PairedBlocks,
    RefusalsBelow,
    Saving,
)
from controller.rollout.spec import RolloutSpec
from shadow.statistics import BettingSequence, earliest_possible


@dataclass(frozen=True, slots=True)
class StagePlan:
    """The earliest end of a stage for a faultless candidate, days after it began, and what it waits for.

    `earliest_days` has the draw place every candidate block as early as it can be, `latest_days` as late.
    """

    stage: str
    share: float
    earliest_days: float
    latest_days: float
    waits_for: str


@dataclass(frozen=True, slots=True)
class _Need:
    """What a check wants of a faultless candidate: plant days, or driven blocks, or whole groups."""

    what: str
    days: float = 0.0
    blocks: int = 0
    groups: int = 0


def plan(spec: RolloutSpec) -> tuple[StagePlan, ...]:
    """One line per stage. Driven ticks and paired groups of earlier stages are counted where the gates pool them."""
    plans, driven_blocks, groups = [], 0, 0
    for index, stage in enumerate(spec.stages):
        needs = [_need(check, spec, index, driven_blocks, groups) for check in stage.checks]
        spans = [(_days(spec, index, need, late=False), _days(spec, index, need, late=True), need) for need in needs]
        earliest, latest, longest = max(spans, key=lambda span: span[:2])
        plans.append(StagePlan(stage.name, stage.share, earliest, latest, longest.what))
        size, _ = spec.group_of(index)
        driven_blocks += max((_blocks(spec, index, need) for need in needs), default=0)
        if size and spec.scores_benefit(index):
            groups += math.floor(earliest * 86_400e6 / spec.block_us / size)
    return tuple(plans)


def _need(check: CheckSpec, spec: RolloutSpec, index: int, driven_blocks: int, groups: int) -> _Need:
    match check:
        case DurationCheck():
            return _Need(f"{check.days:g} days observed", days=check.days)
        case RefusalsBelow(scope="shadowed"):
            ticks = earliest_possible(check.p0, check.alpha)
            return _Need(f"{ticks} clean shadow ticks", days=ticks * spec.period_s / 86_400)
        case RefusalsBelow():
            ticks = earliest_possible(check.p0, check.alpha)
            blocks = max(0, math.ceil(ticks / spec.block_ticks) - driven_blocks)
            return _Need(f"{ticks} clean driven ticks", blocks=blocks)
        case CleanBlocks():
            return _Need(f"{check.blocks} whole candidate blocks", blocks=check.blocks)
        case PairedBlocks():
            return _Need(f"{check.groups} paired blocks", groups=check.groups)
        case NonInferior():
            outcome = spec.outcome
            scale = outcome.cost_clip_frac if check.metric == COST else outcome.guard_clips[check.metric]
            wanted = _fewest_groups(spec.outcome.alpha, check.delta / scale)
            return _Need(f"{wanted} groups at best for {check.metric}", groups=max(0, wanted - groups))
        case Saving():
            wanted = _fewest_groups(spec.outcome.alpha, 0.0)
            return _Need(f"{wanted} groups at best for a saving", groups=max(0, wanted - groups))
        case _:
            return _Need("nothing")


@lru_cache(maxsize=64)
def _fewest_groups(alpha: float, delta_of_clip: float) -> int:
    """Groups until the lower end can exceed `-delta`, each showing a saving as large as counts."""
    sequence = BettingSequence.of(alpha, 1.0)
    while sequence.interval()[0] <= -delta_of_clip:
        sequence = sequence.update(1.0)
    return sequence.count


def _blocks(spec: RolloutSpec, index: int, need: _Need) -> int:
    """Candidate blocks driven while the need is met."""
    _, chosen = spec.group_of(index)
    return need.blocks or need.groups * chosen


def _days(spec: RolloutSpec, index: int, need: _Need, late: bool) -> float:
    size, chosen = spec.group_of(index)
    blocks = need.groups * size
    if need.blocks and chosen:
        whole, rest = divmod(need.blocks - 1, chosen)
        blocks = whole * size + (size - chosen + rest + 1 if late else rest + 1)
    return max(need.days, blocks * spec.block_us / 86_400e6)
