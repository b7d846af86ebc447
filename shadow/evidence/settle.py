"""What a finished block adds: to its group, to the incumbent's expectation, to the share check, to the counts."""

from dataclasses import replace

from shadow.evidence.expectation import Expectation
from shadow.evidence.outcome import OpenBlock, OpenGroup
from shadow.evidence.record import Benefit, Blocks
from shadow.evidence.tick import EvidenceSettings, TickEvidence
from shadow.statistics import ChangeDetector

FLOOR_FRAC = 0.2
"""An expectation below this part of the mean is an extrapolation gone wrong."""

Detectors = tuple[ChangeDetector, ...]


def close_block(
    benefit: Benefit, detectors: Detectors, settings: EvidenceSettings, done: OpenBlock, tick: TickEvidence
) -> tuple[Benefit, Detectors]:
    """Settle the block `done`, then the group it ended if it did, then open the group that `tick` begins."""
    benefit = _settle_block(benefit, settings, done)
    if (done.entry, done.group) == (tick.entry, tick.group):
        return benefit, detectors
    if benefit.group is not None:
        benefit, detectors = _settle_group(benefit, detectors, settings, benefit.group)
    if tick.group >= 0:
        benefit = replace(benefit, group=_open_group(settings, benefit.model, tick))
    return benefit, detectors


def _settle_block(benefit: Benefit, settings: EvidenceSettings, done: OpenBlock) -> Benefit:
    least = max(1, (settings.block_ticks - settings.washout_ticks) // 2)
    group, model, allocation = benefit.group, benefit.model, benefit.allocation
    if group is not None:
        group = group.add(done, least)
    if done.assigned == "incumbent" and done.driven == 0 and done.measured >= least:
        n = done.measured
        model = model.update([x / n for x in done.covariates], done.cost / n, settings.forgetting)
    if 0.0 < done.share < 1.0:
        allocation = allocation.update(2 * done.driven >= done.ticks, done.share)
    blocks = _count(benefit.blocks, done, settings.block_ticks)
    return replace(benefit, group=group, model=model, allocation=allocation, blocks=blocks)


def _count(blocks: Blocks, done: OpenBlock, block_ticks: int) -> Blocks:
    if done.assigned == "incumbent":
        return replace(blocks, incumbent=blocks.incumbent + 1)
    whole = done.kept == done.ticks >= block_ticks
    return replace(
        blocks,
        candidate=blocks.candidate + 1,
        candidate_clean=blocks.candidate_clean + (whole and done.breach_s <= 0.0),
        candidate_cut=blocks.candidate_cut + (not whole),
    )


def _open_group(settings: EvidenceSettings, model: Expectation, tick: TickEvidence) -> OpenGroup | None:
    """A group is scored or not by what is known as it begins: its share, and whether there is an expectation."""
    if tick.share < settings.min_scored_share or model.blocks < settings.model_blocks:
        return None
    return OpenGroup(tick.entry, tick.group, model.fit(), FLOOR_FRAC * model.mean())


def _settle_group(
    benefit: Benefit, detectors: Detectors, settings: EvidenceSettings, group: OpenGroup
) -> tuple[Benefit, Detectors]:
    differences, blocks = group.differences(), benefit.blocks
    if differences is None:
        blind = blocks.groups_unscored + (group.candidate_unmeasured > 0)
        return replace(benefit, group=None, blocks=replace(blocks, groups_unscored=blind)), detectors
    saving, relief = differences
    guards = {name: sequence.update(relief.get(name, 0.0)) for name, sequence in benefit.guards.items()}
    settled = replace(
        benefit,
        group=None,
        cost=benefit.cost.update(saving),
        guards=guards,
        drift=benefit.drift.update(saving),
        blocks=replace(blocks, groups=blocks.groups + 1),
    )
    return settled, _detect_inferior(detectors, settings, saving)


def _detect_inferior(detectors: Detectors, settings: EvidenceSettings, saving: float) -> Detectors:
    """Badness of a group on [0, 1]: 0 is a saving of `clip`, 1 a loss of it."""
    clip = settings.cost_clip_frac
    badness = min(max((clip - saving) / (2.0 * clip), 0.0), 1.0)
    return tuple(
        detector.update(badness) if declared.signal == "inferior" else detector
        for declared, detector in zip(settings.detectors, detectors, strict=True)
    )
