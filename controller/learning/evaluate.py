"""A year of the candidate under the envelope, beside the incumbent and the best static setpoints on the same weather and load.

The year is run as 52 weeks side by side, each settled for an hour and each with a load stream of its own. The candidate's
every target goes through `safety.decide`, with the incumbent to fall back on, as it would in service at a share of 100 %.
The weeks it never practised on are reported apart.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from controller.learning.ground import Ground, ground_of
from controller.learning.limits import limits_of
from controller.learning.score import WEEKS, Score, held_out_weeks, mean_of, shown
from controller.learning.spec import TrainingError
from controller.learning.tensors import Tensors
from controller.policies import wire
from controller.policies.bundle import load_bundle
from controller.policies.child import load
from controller.policies.incumbent import follow
from controller.policies.trust import TrustStore
from safety.decide import decide
from safety.envelope import Envelope, fresh_memory
from safety.values import Memory, Observation, Proposal, Rung, Signal, Source
from simulators.cooling.episode import SETTLE_STEPS, Episodes, Measured
from simulators.cooling.incumbents import TrimConfig, fixed, trim_and_respond, trim_start
from simulators.cooling.scenario import WEEK_NODES, Scenario

Floats = NDArray[np.float64]
STEP_US = 300_000_000
FIRST_SEED = 101


def evaluate_bundle(site: Path, bundle: Path, seeds: int) -> None:
    """`understudy evaluate`: print a bundle's table over so many seeds. Its signature must be one the site trusts."""
    ground = ground_of(site)
    loaded = load_bundle(bundle, TrustStore.load(site / "trust"))
    if loaded.manifest.history != 1:
        raise TrainingError("bundles with a history above 1 cannot be evaluated in a batch yet")
    if loaded.manifest.envelope_digest != ground.envelope.digest:
        _say("note: the bundle was trained under another envelope than this site's")
    tensors = ground.tensors(loaded.manifest)
    numbers = tuple(range(FIRST_SEED, FIRST_SEED + seeds))
    _say(shown(evaluate_seeds(loaded.policy, tensors, ground, numbers, lambda line: None)))


def evaluate_seeds(
    graph: bytes, tensors: Tensors, ground: Ground, seeds: Sequence[int], say: Callable[[str], None]
) -> dict[str, dict[str, dict[str, float]]]:
    """Seed -> controller -> numbers, and their `mean` (the `hottest_c` of which is the highest)."""
    table = {}
    for seed in seeds:
        table[str(seed)] = evaluate(graph, tensors, ground, seed)
        say(f"seed {seed}: candidate saves {100 * table[str(seed)]['candidate']['saving_frac']:.1f} %")
    table["mean"] = {
        controller: mean_of([table[str(seed)][controller] for seed in seeds]) for controller in table[str(seeds[0])]
    }
    return table


def evaluate(
    graph: bytes, tensors: Tensors, ground: Ground, seed: int, *, steps: int = WEEK_NODES
) -> dict[str, dict[str, float]]:
    """One seed's table: controller -> numbers. `steps` of each week are run."""
    trim, best = (_alone(name, ground, seed, steps) for name in ("incumbent", "best_static"))
    ours = _judged(graph, tensors, ground.envelope, ground.world, seed, steps)
    held_out = held_out_weeks()
    return {score.controller: score.summary(trim, held_out) for score in (trim, best, ours)}


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


Control = Callable[[Measured], Floats]


def _trimming(config: TrimConfig, measured: Measured) -> Control:
    """Trim-and-respond, which follows whatever came into force."""
    memory = trim_start(measured.setpoints, config)

    def control(seen: Measured) -> Floats:
        nonlocal memory
        command, memory = trim_and_respond(seen.signals, follow(memory, seen.setpoints), config)
        return command

    return control


def _alone(name: str, ground: Ground, seed: int, steps: int) -> Score:
    """The incumbent or the best static setpoints by themselves, their targets ramped as the envelope would."""
    episodes, measured = _begin(ground.world, seed, steps)
    limits, score = limits_of(ground.envelope), Score(name)
    since = np.ones(measured.setpoints.shape)  # as the kernel: nothing remembered counts as just changed
    trim = _trimming(TrimConfig(zones=ground.zones), measured)
    control: Control = trim if name == "incumbent" else lambda seen: fixed(seen.signals, ground.static)
    for _ in range(steps):
        step = limits.ramp(control(measured), measured.setpoints, since)
        since = np.where(limits.discrete & (step != measured.setpoints), 0.0, since) + 1.0
        measured = episodes.step(step)
        score.add(measured)
    return score


def _judged(graph: bytes, tensors: Tensors, envelope: Envelope, world: Scenario, seed: int, steps: int) -> Score:
    """The candidate in charge of every tick, judged by the real envelope, the incumbent beneath it."""
    run = load(wire.Load(graph, len(tensors.inputs), len(tensors.outputs)))
    episodes, measured = _begin(world, seed, steps)
    score, trim = Score("candidate"), _trimming(TrimConfig(zones=world.zones), measured)
    memories = [fresh_memory(envelope) for _ in range(WEEKS)]
    for tick in range(steps):
        taken_at = (_starts() + SETTLE_STEPS + tick) * STEP_US
        asked = tensors.targets(run(tensors.features(measured.signals, measured.setpoints, taken_at)))
        fallback = trim(measured)
        step = np.empty_like(asked)
        for week in range(WEEKS):
            step[week], memories[week] = _decide(
                week, int(taken_at[week]), measured, asked, fallback, tensors, envelope, memories[week], score
            )
        measured = episodes.step(step)
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
