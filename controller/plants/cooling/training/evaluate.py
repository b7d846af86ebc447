"""A year of the candidate under the envelope, beside the incumbent and the best static setpoints on the same weather and load.

The year is run as 52 weeks side by side, each settled for an hour and each with a load stream of its own. The candidate's
every target goes through a `Pilot`, with the incumbent to fall back on, as it would in service at a share of 100 %.
The weeks it was never trained on are reported apart.
"""

from collections.abc import Mapping, Sequence
from math import nan

import numpy as np
from numpy.typing import NDArray

from controller.learning.batched_ramp import limits_of
from controller.learning.tensors import Tensors
from controller.learning.training_site import Control, Say
from controller.loop.pilot import Pilot
from controller.plants.cooling.incumbent import FixedIncumbent, follow
from controller.plants.cooling.training.hall import Hall
from controller.plants.cooling.training.score_card import WEEKS, Score, held_out_weeks, mean_of
from controller.policies.manifest import Manifest
from controller.policies.novelty import SIGNAL as NOVELTY
from controller.policies.novelty import NoveltyMeter
from controller.policies.server import load
from controller.protocol import policy_wire
from safety.envelope import fresh_memory
from safety.values import Memory, Observation, Proposal, Ruling, Rung, Signal, Source
from simulators.cooling.controllers.incumbents import TrimConfig, fixed, trim_and_respond, trim_start
from simulators.cooling.episode import SETTLE_STEPS, Episodes, Measured
from simulators.cooling.world.redundant_sensors import Redundancy, sensor_specs
from simulators.cooling.world.scenario import SUB_STEPS, WEEK_NODES

Floats = NDArray[np.float64]
STEP_US = 300_000_000


def evaluate_seeds(
    graph: bytes, manifest: Manifest, tensors: Tensors, hall: Hall, seeds: Sequence[int], say: Say
) -> dict[str, dict[str, dict[str, float]]]:
    """Seed -> controller -> numbers, and their `mean` (the `hottest_c` of which is the highest)."""
    table = {}
    for seed in seeds:
        table[str(seed)] = evaluate(graph, manifest, tensors, hall, seed)
        say(f"seed {seed}: candidate saves {100 * table[str(seed)]['candidate']['saving_frac']:.1f} %")
    table["mean"] = {
        controller: mean_of([table[str(seed)][controller] for seed in seeds]) for controller in table[str(seeds[0])]
    }
    return table


def evaluate(
    graph: bytes, manifest: Manifest, tensors: Tensors, hall: Hall, seed: int, *, steps: int = WEEK_NODES
) -> dict[str, dict[str, float]]:
    """One seed's table: controller -> numbers. `steps` of each week are run."""
    trim, best = (_alone(name, hall, seed, steps) for name in ("incumbent", "best_static"))
    ours = _judged(graph, NoveltyMeter(manifest), tensors, hall, seed, steps)
    held_out = held_out_weeks()
    return {score.controller: score.summary(trim, held_out) for score in (trim, best, ours)}


class Year:
    """52 weeks side by side on one seed's load, each settled for an hour, with redundant sensors beside the plant's signals."""

    def __init__(self, hall: Hall, seed: int, steps: int) -> None:
        self._episodes = Episodes(hall.world, seed, WEEKS, steps)
        self._sensors = Redundancy(seed, np.arange(WEEKS), hall.zones)
        self._tick = 0
        self.measured = self._episodes.reset(seed, _starts())

    @property
    def taken_at(self) -> NDArray[np.int64]:
        """Time [weeks] of the present tick. [us]"""
        return np.asarray((_starts() + SETTLE_STEPS + self._tick) * STEP_US)

    @property
    def voted(self) -> Floats:
        """Signals [weeks, m] as the input manager passes them on."""
        return self._sensors.voted(self.measured.signals, self._tick * SUB_STEPS)

    @property
    def shown(self) -> Floats:
        """Signals and sensors [weeks, m + s] as the plant sends them."""
        return self._sensors.beside(self.measured.signals, self._tick * SUB_STEPS)

    def step(self, setpoints: Floats) -> Measured:
        """Five minutes under `setpoints` [weeks, k]."""
        self._tick += 1
        self.measured = self._episodes.step(setpoints)
        return self.measured


def trimming(config: TrimConfig, measured: Measured) -> Control:
    """Trim-and-respond on (signals [n, m], setpoints in force [n, k]), which follows whatever came into force."""
    memory = trim_start(measured.setpoints, config)

    def control(signals: Floats, applied: Floats) -> Floats:
        nonlocal memory
        command, memory = trim_and_respond(signals, follow(memory, applied), config)
        return command

    return control


def _alone(name: str, hall: Hall, seed: int, steps: int) -> Score:
    """The incumbent or the best static setpoints by themselves, their targets ramped as the envelope would."""
    year = Year(hall, seed, steps)
    limits, score = limits_of(hall.envelope), Score(name)
    since = np.ones(year.measured.setpoints.shape)  # as the kernel: nothing remembered counts as just changed
    trim = trimming(TrimConfig(zones=hall.zones), year.measured)
    control: Control = trim if name == "incumbent" else lambda signals, applied: fixed(signals, hall.static)
    for _ in range(steps):
        applied = year.measured.setpoints
        step = limits.ramp(control(year.voted, applied), applied, since)
        since = np.where(limits.discrete & (step != applied), 0.0, since) + 1.0
        score.add(year.step(step))
    return score


def _judged(graph: bytes, meter: NoveltyMeter, tensors: Tensors, hall: Hall, seed: int, steps: int) -> Score:
    """The candidate in charge of every tick, judged by the real envelope, the incumbent beneath it."""
    run = load(policy_wire.Load(graph, len(tensors.inputs), len(tensors.outputs)))
    year, envelope = Year(hall, seed, steps), hall.envelope
    names = (*tensors.signals, *(spec.name for spec in sensor_specs(hall.zones)))
    score, trim = Score("candidate"), trimming(TrimConfig(zones=hall.zones), year.measured)
    memories = [fresh_memory(envelope) for _ in range(WEEKS)]
    for _ in range(steps):
        voted, shown, applied, taken_at = year.voted, year.shown, year.measured.setpoints, year.taken_at
        targets = tensors.targets(run(tensors.features(voted, applied, taken_at)))
        fallback, does = trim(voted, applied), year.measured.readback
        step = np.empty_like(targets)
        for week in range(WEEKS):
            reported = Observation(
                plant=envelope.plant,
                subject=str(week),
                taken_at=int(taken_at[week]),
                signals=dict(zip(names, map(Signal, shown[week].tolist()), strict=True)),
                applied=_named(tensors.setpoints, applied[week]),
                readback=_named(tensors.setpoints, does[week]),
            )
            # The incumbents of all weeks have been asked at once, as a batch.
            pilot = Pilot(envelope, FixedIncumbent(_named(tensors.setpoints, fallback[week])))
            candidate = Proposal(Source.CANDIDATE, _named(tensors.setpoints, targets[week]))
            ruling = _decide(pilot, reported, candidate, meter, memories[week], score)
            memories[week] = ruling.memory
            step[week] = [ruling.command.setpoints[name] for name in tensors.setpoints]
        score.add(year.step(step))
    return score


def _decide(
    pilot: Pilot, reported: Observation, candidate: Proposal, meter: NoveltyMeter, memory: Memory, score: Score
) -> Ruling:
    """One tick of one week under the envelope; refusals and waits of the candidate are counted into `score`."""
    managed = pilot.manage(reported, memory, elapsed_us=pilot.envelope.period_us)
    measured = meter(managed.observation, candidate)
    ruling = pilot.fly(managed, {}, candidate, assigned=Source.CANDIDATE, measured=measured).ruling
    judged = next(judgement for judgement in ruling.judgements if judgement.rung is Rung.CANDIDATE)
    score.waited += bool(judged.waiting)
    if not judged.verdict.accepted:
        score.vetoes[judged.verdict.first_out] += 1
    for finding in ruling.state:
        score.removals[finding.rule] += 1
    score.unusual += not measured.get(NOVELTY, _UNKNOWN).value <= 1.0
    return ruling


_UNKNOWN = Signal(nan)


def _starts() -> NDArray[np.int64]:
    return np.arange(WEEKS, dtype=np.int64) * WEEK_NODES


def _named(names: tuple[str, ...], values: Floats) -> Mapping[str, float]:
    return dict(zip(names, values.tolist(), strict=True))
