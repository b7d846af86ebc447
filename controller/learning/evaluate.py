"""A year of the candidate under the envelope, beside the incumbent and the best static setpoints on the same weather and load.

The year is run as 52 weeks side by side, each settled for an hour and each with a load stream of its own. The candidate's
every target goes through `safety.decide`, with the incumbent to fall back on, as it would in service at a share of 100 %.
The weeks it never practised on are reported apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from controller.learning.limits import Limits, limits_of
from controller.learning.tensors import Tensors
from controller.policies import wire
from controller.policies.child import load
from safety.decide import decide
from safety.envelope import Envelope, fresh_memory
from safety.values import Memory, Observation, Proposal, Rung, Signal, Source
from simulators.cooling.episode import SETTLE_STEPS, Episodes, Measured
from simulators.cooling.incumbents import TrimConfig, TrimMemory, fixed, track, trim_and_respond, trim_start
from simulators.cooling.scenario import SPLITS, WEEK_NODES, Scenario

Floats = NDArray[np.float64]
WEEKS = 52
STEP_US = 300_000_000
HOT_C, BREACH_C = 27.0, 32.0


@dataclass(slots=True)
class Score:
    """What one controller's year came to, per week [weeks]."""

    controller: str
    energy_kwh: Floats = field(default_factory=lambda: np.zeros(WEEKS))
    it_kwh: Floats = field(default_factory=lambda: np.zeros(WEEKS))
    hot_degree_minutes: Floats = field(default_factory=lambda: np.zeros(WEEKS))
    hottest_c: float = -np.inf
    breach_steps: int = 0
    vetoes: dict[str, int] = field(default_factory=dict)
    waited: int = 0
    ticks: int = 0

    def add(self, measured: Measured) -> None:
        """One control step of every week."""
        hottest = np.maximum.reduce(measured.inlet_max_c, axis=1)
        self.energy_kwh += measured.cooling_kwh
        self.it_kwh += measured.it_kwh
        self.hot_degree_minutes += 5.0 * np.maximum(hottest - HOT_C, 0.0)
        self.hottest_c = max(self.hottest_c, float(hottest.max()))
        self.breach_steps += int(np.sum(hottest > BREACH_C))
        self.ticks += len(hottest)

    def summary(self, against: "Score | None", held_out: NDArray[np.bool_]) -> dict[str, float]:
        """The year in a line of numbers; savings are shares of the energy of `against`."""
        line = {
            "energy_kwh": float(np.sum(self.energy_kwh)),
            "energy_share_of_it": float(np.sum(self.energy_kwh) / np.sum(self.it_kwh)),
            "hot_degree_minutes": float(np.sum(self.hot_degree_minutes)),
            "hottest_c": self.hottest_c,
            "breach_steps": float(self.breach_steps),
            "veto_frac": sum(self.vetoes.values()) / self.ticks,
            "waiting_frac": self.waited / self.ticks,
        }
        if against is not None:
            line["saving_frac"] = _saving(self, against, np.ones(WEEKS, dtype=np.bool_))
            line["saving_held_out_frac"] = _saving(self, against, held_out)
        return {name: round(value, 5) for name, value in line.items()}


def held_out_weeks() -> NDArray[np.bool_]:
    """Which weeks of the year the training split does not contain."""
    return np.array([week % 5 not in SPLITS["train"] for week in range(WEEKS)])


def evaluate(
    graph: bytes,
    tensors: Tensors,
    envelope: Envelope,
    world: Scenario,
    static: Floats,
    seed: int,
    *,
    steps: int = WEEK_NODES,
) -> dict[str, dict[str, float]]:
    """One seed's table: controller -> numbers. `static` [k] are the best static setpoints; `steps` of each week are run."""
    limits = limits_of(envelope)
    trim = _alone("incumbent", world, seed, steps, limits, TrimConfig(zones=world.zones))
    best = _alone("best_static", world, seed, steps, limits, static)
    ours = _judged(graph, tensors, envelope, world, seed, steps)
    held_out = held_out_weeks()
    return {score.controller: score.summary(trim, held_out) for score in (trim, best, ours)}


def _alone(name: str, world: Scenario, seed: int, steps: int, limits: Limits, control: TrimConfig | Floats) -> Score:
    """A controller by itself, its targets ramped as the envelope would."""
    episodes, measured = _begin(world, seed, steps)
    score, since = Score(name), np.full(measured.setpoints.shape, 1_000.0)
    memory = trim_start(measured.setpoints, control) if isinstance(control, TrimConfig) else None
    for _ in range(steps):
        if isinstance(control, TrimConfig) and memory is not None:
            target, memory = trim_and_respond(measured.signals, memory, control)
        else:
            target = fixed(measured.signals, control)
        step = limits.ramp(target, measured.setpoints, since)
        since = np.where(limits.discrete & (step != measured.setpoints), 0.0, since) + 1.0
        measured = episodes.step(step)
        memory = None if memory is None else track(memory, step)
        score.add(measured)
    return score


def _judged(graph: bytes, tensors: Tensors, envelope: Envelope, world: Scenario, seed: int, steps: int) -> Score:
    """The candidate in charge of every tick, judged by the real envelope, the incumbent beneath it."""
    run = load(wire.Load(graph, len(tensors.inputs), len(tensors.outputs)))
    episodes, measured = _begin(world, seed, steps)
    score, config = Score("candidate"), TrimConfig(zones=world.zones)
    trim: TrimMemory = trim_start(measured.setpoints, config)
    memories = [fresh_memory(envelope) for _ in range(WEEKS)]
    for tick in range(steps):
        taken_at = (_starts() + SETTLE_STEPS + tick) * STEP_US
        asked = tensors.targets(run(tensors.features(measured.signals, measured.setpoints, taken_at)))
        fallback, trim = trim_and_respond(measured.signals, trim, config)
        step = np.empty_like(asked)
        for week in range(WEEKS):
            step[week], memories[week] = _decide(
                week, int(taken_at[week]), measured, asked, fallback, tensors, envelope, memories[week], score
            )
        measured = episodes.step(step)
        trim = track(trim, step)
        score.add(measured)
    return score


def _decide(
    week: int,
    taken_at: int,
    measured: Measured,
    asked: Floats,
    fallback: Floats,
    tensors: Tensors,
    envelope: Envelope,
    memory: Memory,
    score: Score,
) -> tuple[list[float], Memory]:
    """One tick of one week through `safety.decide`; refusals and waits of the candidate are counted into `score`."""
    names = tensors.setpoints
    observation = Observation(
        plant=envelope.plant,
        subject=str(week),
        taken_at=taken_at,
        signals=dict(zip(tensors.signals, map(Signal, measured.signals[week].tolist()), strict=True)),
        applied=_named(names, measured.setpoints[week]),
        readback=_named(names, measured.readback[week]),
    )
    proposals = {
        Source.INCUMBENT: Proposal(Source.INCUMBENT, _named(names, fallback[week])),
        Source.CANDIDATE: Proposal(Source.CANDIDATE, _named(names, asked[week])),
    }
    ruling = decide(observation, proposals, Source.CANDIDATE, envelope, memory, elapsed_us=envelope.period_us, epoch=0)
    for judgement in ruling.judgements:
        if judgement.rung is Rung.CANDIDATE:
            score.waited += bool(judgement.waiting)
            if not judgement.verdict.accepted:
                first = judgement.verdict.first_out
                score.vetoes[first] = score.vetoes.get(first, 0) + 1
    setpoints = ruling.command.setpoints
    return [setpoints[name] for name in names], ruling.memory


def _begin(world: Scenario, seed: int, steps: int) -> tuple[Episodes, Measured]:
    episodes = Episodes(world, seed, WEEKS, steps)
    return episodes, episodes.reset(seed, _starts())


def _starts() -> NDArray[np.int64]:
    return np.arange(WEEKS, dtype=np.int64) * WEEK_NODES


def _named(names: tuple[str, ...], values: Floats) -> Mapping[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


def _saving(score: Score, against: Score, weeks: NDArray[np.bool_]) -> float:
    return float(1.0 - np.sum(score.energy_kwh[weeks]) / np.sum(against.energy_kwh[weeks]))
