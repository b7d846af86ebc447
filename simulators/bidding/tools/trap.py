"""Walking into the trap: the same policy, optimised for clicks and for conversions, where clicks are cheap and worthless.

    python -m simulators.bidding.tools.trap [--seeds 10] [--generations 12] [--into docs/reference/results]

In every campaign half of the night's traffic clicks 5.6 times as often and hardly converts. The policy is a plan:
weights on how the budget is spread over eight parts of the day, which PID pacing then follows. The cross-entropy method
searches them on seeds of the train split for each of the environment's rewards; all are then flown on the test split.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from simulators.bidding.controllers import DualGradient, Incumbent, Memory, PidPacing
from simulators.bidding.controllers.base import Floats
from simulators.bidding.env import Reward, reward_of
from simulators.bidding.physics.state import initial
from simulators.bidding.physics.step import step
from simulators.bidding.tools.evaluate import fly, kpis
from simulators.bidding.tools.hindsight import bound
from simulators.bidding.tools.report import interval
from simulators.bidding.world.build import NIGHT_TICKS, build
from simulators.bidding.world.curves import TICKS_PER_DAY
from simulators.bidding.world.observation import Account, account
from simulators.bidding.world.scenario import Scenario, resized, scenario, split_seed
from simulators.bidding.world.streams import Noise

WORLD = replace(resized(scenario("clickbait"), 60_000.0), bait_every=1)
CAMPAIGNS = 3
BLOCK_TICKS = 6
BLOCKS = TICKS_PER_DAY // BLOCK_TICKS
TRAIN_SEEDS = 8
POPULATION, ELITE, SETTLING, LOG_MAX = 16, 4, 0.7, 3.0
TRUST_DISTANCE = 0.5
REWARDS: tuple[Reward, ...] = ("clicks", "conversions", "score")


@dataclass(frozen=True, slots=True)
class Plan:
    """PID pacing along another plan: the forecast's traffic in each block of the day times its weight.

    `weights` [BLOCKS], or one row a lane [L, BLOCKS]; all ones is the incumbent.
    """

    weights: Floats

    def start(self, view: Account) -> Memory:
        """The incumbent's."""
        return PidPacing().start(view)

    def propose(self, memory: Memory, view: Account) -> tuple[Memory, Floats]:
        """The incumbent's answer, had it this plan."""
        block = np.arange(view.ticks) % TICKS_PER_DAY // BLOCK_TICKS
        planned = view.forecast * np.atleast_2d(self.weights)[:, None, block]
        return PidPacing().propose(memory, replace(view, forecast=planned / planned.sum(axis=2, keepdims=True)))


@dataclass(frozen=True, slots=True)
class Trusted:
    """A policy under a trust-region rule: farther than `distance` from the incumbent, nothing of it is used in that tick."""

    policy: Incumbent
    incumbent: Incumbent
    distance: float

    def start(self, view: Account) -> Memory:
        """Both memories."""
        return _both(self.policy.start(view), self.incumbent.start(view))

    def propose(self, memory: Memory, view: Account) -> tuple[Memory, Floats]:
        """The policy's row where all of it is near enough, else the incumbent's."""
        theirs, wanted = self.policy.propose(_half(memory, "policy/"), view)
        ours, safe = self.incumbent.propose(_half(memory, "incumbent/"), view)
        near = (np.abs(wanted - safe) <= self.distance).all(axis=1, keepdims=True)
        return _both(theirs, ours), np.where(near, wanted, safe)


def _both(policy: Memory, incumbent: Memory) -> Memory:
    """Two memories as one."""
    return {f"policy/{k}": v for k, v in policy.items()} | {f"incumbent/{k}": v for k, v in incumbent.items()}


def _half(memory: Memory, prefix: str) -> Memory:
    """One of the two."""
    return {k.removeprefix(prefix): v for k, v in memory.items() if k.startswith(prefix)}


def returns(weights: Floats, reward: Reward, seeds: Sequence[int]) -> Floats:
    """Mean over seeds and campaigns of a flight's reward, for each row of `weights` [n, BLOCKS]: [n]."""
    rows = np.repeat(weights, len(seeds), axis=0)
    noise = Noise(WORLD.name, tuple(seeds) * len(weights), (0,) * len(rows))
    params = build(WORLD, noise, CAMPAIGNS)
    state, total, policy = initial(params), np.zeros(params.shape), Plan(rows)
    memory = policy.start(account(state, params))
    for _ in range(params.ticks):
        before = state
        memory, multiplier = policy.propose(memory, account(before, params))
        state, outputs = step(before, multiplier, params, noise)
        total = total + reward_of(reward, before, state, outputs, params)
    return np.asarray(total.mean(axis=1).reshape(len(weights), len(seeds)).mean(axis=1))


def search(reward: Reward, generations: int) -> Plan:
    """The cross-entropy method on ln(weight), from the incumbent's own plan."""
    rng = np.random.default_rng(1)
    seeds = [split_seed("train", i) for i in range(TRAIN_SEEDS)]
    middle, spread = np.zeros(BLOCKS), np.ones(BLOCKS)
    for _ in range(generations):
        drawn = np.clip(middle + spread * rng.standard_normal((POPULATION, BLOCKS)), -LOG_MAX, LOG_MAX)
        best = drawn[np.argsort(-returns(np.exp(drawn), reward, seeds), kind="stable")[:ELITE]]
        middle = (1 - SETTLING) * middle + SETTLING * best.mean(axis=0)
        spread = (1 - SETTLING) * spread + SETTLING * best.std(axis=0) + 0.02
    return Plan(np.exp(middle - middle.mean()))


@dataclass(frozen=True, slots=True)
class Row:
    """One policy on the test split: means over campaigns for each seed [s]."""

    name: str
    clicks: Floats
    score_frac: Floats
    cpa_ratio: Floats
    night_frac: Floats


def measure(name: str, policy: Incumbent, world: Scenario, seeds: int) -> Row:
    """Fly one policy on the first test seeds; clicks and conversions per unit of what the budget buys at target."""
    indices = tuple(split_seed("test", i) for i in range(seeds))
    noise = Noise(world.name, indices, (0,) * seeds)
    params = build(world, noise, CAMPAIGNS)
    run = fly(policy, params, noise)
    found = kpis(run, params, bound(params, noise))
    spent = np.diff(run.incurred_micros, axis=2, prepend=0.0)
    ticks = np.arange(params.ticks)
    night = (ticks >= NIGHT_TICKS[0]) | (ticks < NIGHT_TICKS[1])
    worth = params.predicted.mean(axis=2) * params.target_cpa_micros / params.budget_micros
    return Row(
        name,
        (run.state.clicks * worth).mean(axis=1),
        found.score_frac.mean(axis=1),
        found.cpa_ratio.mean(axis=1),
        (spent[:, :, night].sum(axis=2) / np.maximum(spent.sum(axis=2), 1.0)).mean(axis=1),
    )


HEAD = """# Bidding: walking into the trap

Written by `python -m simulators.bidding.tools.trap`; do not edit.

In every campaign half of the night's traffic clicks 5.6 times as often and hardly converts, and the bidder's model does
not know. One policy, PID pacing along a plan (weights on eight parts of the day), was optimised on
the train split for three rewards of the environment ({generations} generations of {population}, cross-entropy method). It then
ran on {seeds} seeds of the test split, {campaigns} campaigns each. Figures are mean ± half of a 95 % interval.

* **click reward**: what the reward `clicks` pays for the flight; **share of bound**: of E[conv] · min(1, (K/CPA)²).
* **spent by night**: the share of all spend that went into the hours with the trap.
* **within {distance} of PID pacing**: the policy under a trust-region rule as the envelope has it; where it is farther away, the
  incumbent's multipliers are used in that half hour.

| policy | click reward | share of bound | cost per conversion / target | spent by night |
|---|--:|--:|--:|--:|
"""


def page(rows: list[Row], plans: dict[str, Plan], seeds: int, generations: int) -> str:
    """The reference page."""
    lines = [
        f"| {r.name} | "
        + " | ".join(str(interval(x)) for x in (r.clicks, r.score_frac, r.cpa_ratio, r.night_frac))
        + " |"
        for r in rows
    ]
    head = HEAD.format(
        generations=generations, population=POPULATION, seeds=seeds, campaigns=CAMPAIGNS, distance=TRUST_DISTANCE
    )
    hours = " | ".join(f"{3 * i:02d}-{3 * i + 3:02d} h" for i in range(BLOCKS))
    found = [f"| {name} | " + " | ".join(f"{x:.2f}" for x in s.weights) + " |" for name, s in plans.items()]
    ruled = "\n## What was found\n\nWeights of the plan by hour, over the forecast; the trap is there from 20:00 to 06:00.\n\n"
    return (
        head
        + "\n".join(lines)
        + "\n"
        + ruled
        + f"| searched for | {hours} |\n|---{'|--:' * BLOCKS}|\n"
        + "\n".join(found)
        + "\n"
    )


def main() -> None:
    """Search, fly and write."""
    parser = argparse.ArgumentParser(description="optimise a plan for each reward where clicks are a trap")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--generations", type=int, default=12)
    parser.add_argument("--into", type=Path, default=Path("docs/reference/results"))
    options = parser.parse_args()
    if options.seeds < 2 or options.generations < 1:
        parser.error("`--seeds` must be at least 2 and `--generations` at least 1")
    found = {f"reward `{reward}`": search(reward, options.generations) for reward in REWARDS}
    hacked = Trusted(found["reward `clicks`"], PidPacing(), TRUST_DISTANCE)
    policies: dict[str, Incumbent] = {"PID pacing": PidPacing(), "dual gradient": DualGradient(), **found}
    policies[f"reward `clicks`, within {TRUST_DISTANCE} of PID pacing"] = hacked
    rows = [measure(name, policy, WORLD, options.seeds) for name, policy in policies.items()]
    (options.into / "bidding-trap.md").write_text(
        page(rows, found, options.seeds, options.generations), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
