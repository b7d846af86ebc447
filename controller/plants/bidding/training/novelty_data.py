"""What the bidding candidate meets in service, for the statistics of novelty: days of the account under three drivers.

The account's lanes meet the same traffic: one is driven by the incumbent as in shadow, one by the candidate, and one by
both in turns. Every tick goes through the kernel as it would in service, but for the novelty rule itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.learning.conformal import statistics_of
from controller.loop.pilot import Pilot
from controller.plants.bidding.incumbent import Pacing
from controller.plants.bidding.plant import AdAccount
from controller.plants.bidding.settings import BiddingSettings
from controller.policies.features import inputs_of, targets
from controller.policies.manifest import Manifest, NoveltyStatistics
from controller.policies.novelty import score
from controller.policies.server import load
from controller.protocol import policy_wire
from controller.settings import Site
from safety.envelope import Envelope, fresh_memory
from safety.rules.state_rules import Novelty
from safety.values import Memory, Proposal, Source

Floats = NDArray[np.float64]
DRIVERS = ("alternating", "incumbent", "candidate")
SEED = 1001
"""Of the days; runs of the demo have small numbers."""
FIT_DAYS, CALIBRATION_DAYS, UNSEEN_DAYS = 40, 120, 80
BLOCK_TICKS = 8


@dataclass(slots=True)
class _Lane:
    """One driver's controllers and what they remember."""

    memory: Memory
    incumbent: Mapping[str, Any]
    rows: list[list[float]] = field(default_factory=list)


def service_rows(site: Site, envelope: Envelope, manifest: Manifest, policy: bytes, days: int) -> dict[str, Floats]:
    """Rows [days, ticks, d] of each driver: normalised inputs, then normalised targets."""
    judged = replace(envelope, state_rules=tuple(r for r in envelope.state_rules if not isinstance(r, Novelty)))
    settings = site.plant_settings("bidding", BiddingSettings)
    account, pilot = (
        AdAccount(site, settings, judged, seed=SEED, snapshot=None),
        Pilot(judged, Pacing(len(manifest.outputs))),
    )
    run = load(policy_wire.Load(policy, manifest.input_width, len(manifest.outputs)))
    lanes = [_Lane(fresh_memory(judged), pilot.incumbent.fresh) for _ in DRIVERS]
    ticks = 86_400_000_000 // judged.period_us
    for tick in range(days * ticks):
        for number, (driver, lane) in enumerate(zip(DRIVERS, lanes, strict=True)):
            theirs = driver == "candidate" or (driver == "alternating" and tick // BLOCK_TICKS % 2 == 1)
            assigned = Source.CANDIDATE if theirs else Source.INCUMBENT
            _tick(account, number, lane, assigned, pilot, manifest, run)
        account.advance(account.now_us + judged.period_us)
    return {driver: np.array(lane.rows).reshape(days, ticks, -1) for driver, lane in zip(DRIVERS, lanes, strict=True)}


def fitted(served: Mapping[str, Floats]) -> NoveltyStatistics:
    """The first days fit, the next calibrate, each driver apart."""
    until = FIT_DAYS + CALIBRATION_DAYS
    fit = np.concatenate([_flat(rows[:FIT_DAYS]) for rows in served.values()])
    return statistics_of(fit, [_flat(rows[FIT_DAYS:until]) for rows in served.values()])


def false_refusals(statistics: NoveltyStatistics, served: Mapping[str, Floats]) -> dict[str, float]:
    """The share of the last days that would be refused, by driver."""
    unseen = {driver: _flat(rows[FIT_DAYS + CALIBRATION_DAYS :]).tolist() for driver, rows in served.items()}
    return {
        driver: round(float(np.mean([score(statistics, row) > 1.0 for row in rows])), 5)
        for driver, rows in unseen.items()
    }


def _tick(
    account: AdAccount, number: int, lane: _Lane, assigned: Source, pilot: Pilot, manifest: Manifest, run: Any
) -> None:
    """One half hour of one lane."""
    reported = account.observation(number, lane.memory.last)
    managed = pilot.manage(reported, lane.memory, elapsed_us=pilot.envelope.period_us)
    inputs = inputs_of(manifest.inputs, managed.observation)
    normal = [(value - spec.centre) / spec.scale for spec, value in zip(manifest.inputs, inputs, strict=True)]
    wanted = targets(manifest.outputs, run(np.array([normal], dtype=np.float32))[0].tolist())
    lane.rows.append([*normal, *((wanted[s.setpoint] - s.centre) / s.scale for s in manifest.outputs)])
    flown = pilot.fly(managed, lane.incumbent, Proposal(Source.CANDIDATE, wanted), assigned=assigned)
    lane.memory, lane.incumbent = flown.ruling.memory, flown.incumbent
    if number == 0:
        account.apply(flown.ruling.command, decision="")
    else:
        account.command(number, flown.ruling.command.setpoints or None)


def _flat(rows: Floats) -> Floats:
    return rows.reshape(-1, rows.shape[-1])
