"""`observe_tick`: one more tick of evidence. Pure; most ticks touch only the counts and the open block."""

import math
import operator

from shadow.evidence.outcome import OpenBlock, added
from shadow.evidence.record import Evidence, Tally
from shadow.evidence.settle import close_block
from shadow.evidence.tick import ABSENT, OK, EvidenceSettings, TickEvidence
from shadow.statistics import ChangeDetector


def observe_tick(evidence: Evidence, tick: TickEvidence) -> Evidence:
    """The evidence with one more tick; a tick not later than the last one is ignored, so redelivery does no harm."""
    last = evidence.last
    if last is not None and tick.at_us <= last.at_us:
        return evidence
    done, settings = evidence.block, evidence.settings
    benefit, detectors = evidence.benefit, evidence.detectors
    turned = done is None or tick.block != done.block
    if last is not None and tick.entry != last.entry and tick.share <= 0.0:
        detectors = _restart_outcome(detectors, settings)
    if done is None or last is None:
        block = _begin(tick)
    elif not turned:
        block = _grow(done, settings, last, tick, tick)
    else:
        done = _grow(done, settings, last, tick, None)
        benefit, detectors = close_block(benefit, detectors, settings, done, tick)
        block = _begin(tick)
    tally = _count(evidence.tally, last, tick)
    event = not tick.usable or tick.hard_veto or tick.causes != () or tally.last_driven_breach_s > 0.0
    return Evidence(
        evidence.bundle,
        evidence.plant,
        settings,
        benefit,
        _detect(detectors, settings, tick),
        tick,
        event or turned,
        tally,
        block,
        evidence.targets.widen(tick.targets) if tick.targets else evidence.targets,
        evidence.surroundings.widen(tick.covariates) if tick.covariates else evidence.surroundings,
    )


def _begin(tick: TickEvidence) -> OpenBlock:
    driven = int(tick.in_control == "candidate")
    return OpenBlock(tick.block, tick.assigned, tick.entry, tick.group, tick.share, 1, 1, driven)


def _grow(
    block: OpenBlock, settings: EvidenceSettings, last: TickEvidence, ended: TickEvidence, decided: TickEvidence | None
) -> OpenBlock:
    """The block with the outcome of the interval that just ended, and with the new decision if it is still its own."""
    n, cost, covariates = block.measured, block.cost, block.covariates
    place = last.at_us % settings.block_us // settings.period_us
    if place >= settings.washout_ticks and _measured(settings, block, last, ended):
        n, cost = n + 1, cost + (ended.cost or 0.0)
        covariates = tuple(map(operator.add, covariates, ended.covariates)) if covariates else ended.covariates
    ticks, kept, driven = block.ticks, block.kept, block.driven
    if decided is not None:
        ticks += 1
        kept += decided.assigned == block.assigned
        driven += decided.in_control == "candidate"
    return OpenBlock(
        block.block,
        block.assigned,
        block.entry,
        block.group,
        block.share,
        ticks,
        kept,
        driven,
        n,
        cost,
        covariates,
        added(block.guards, ended.guards),
        block.breach_s + ended.breach_s,
    )


def _measured(settings: EvidenceSettings, block: OpenBlock, last: TickEvidence, tick: TickEvidence) -> bool:
    """Whether the interval is one whole period (to 5 %) with every number in it; a longer or shorter one cannot be compared."""
    whole = abs(tick.at_us - last.at_us - settings.period_us) * 20 <= settings.period_us
    cost, covariates = tick.cost, tick.covariates
    complete = block.measured == 0 or len(covariates) == len(block.covariates)
    numbers = (*covariates, *tick.guards.values())
    return whole and complete and cost is not None and math.isfinite(cost) and all(map(math.isfinite, numbers))


def _count(tally: Tally, last: TickEvidence | None, tick: TickEvidence) -> Tally:
    present, usable = tick.candidate_status != ABSENT, tick.usable
    refused = present and tick.candidate_refused
    driven = present and tick.assigned == "candidate"
    shadowed = present and not driven
    same = last is not None and last.candidate_status == tick.candidate_status
    led = last is not None and last.in_control == "candidate"
    breach_s = tick.breach_s if led else 0.0
    return Tally(
        tally.ticks + 1,
        tally.shadowed + shadowed,
        tally.shadowed_refused + (shadowed and refused),
        tally.shadowed_unusable + (shadowed and not usable),
        tally.driven + driven,
        tally.driven_refused + (driven and refused),
        tally.driven_unusable + (driven and not usable),
        tally.clean_in_a_row + 1 if usable else 0,
        tally.status_in_a_row + 1 if same else 1,
        tally.driven_breach_s + breach_s,
        tally.incumbent_breach_s + tick.breach_s - breach_s,
        breach_s,
    )


def _restart_outcome(detectors: tuple[ChangeDetector, ...], settings: EvidenceSettings) -> tuple[ChangeDetector, ...]:
    """An entry without a share follows a reset or a pause, where no outcome could clear itself: restart its detectors."""
    return tuple(
        ChangeDetector.of(d.p0, d.bet) if declared.signal == "inferior" else d
        for declared, d in zip(settings.detectors, detectors, strict=True)
    )


def _detect(
    detectors: tuple[ChangeDetector, ...], settings: EvidenceSettings, tick: TickEvidence
) -> tuple[ChangeDetector, ...]:
    """Per-tick detectors, on every tick the candidate was asked, driving or not."""
    if tick.candidate_status == ABSENT:
        return detectors
    seen = {"refused": float(tick.candidate_refused), "unusable": float(tick.candidate_status != OK)}
    return tuple(
        [
            detector.update(seen[declared.signal]) if declared.signal in seen else detector
            for declared, detector in zip(settings.detectors, detectors, strict=True)
        ]
    )
