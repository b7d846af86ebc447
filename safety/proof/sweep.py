"""Handover tried out: `python -m safety.proof.sweep ENVELOPE [--count N] [--seed S]`.

Draws a command some candidate may have left in force, what is measured and remembered, and a target that the rules permit
the incumbent. Then takes the kernel's own `ramp` and `judge` step by step until the plant is at that target.
No step may be refused, and none may come later than the bound that `understudy envelope prove` prints.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from safety.decide import RUNG, judge_proposal, situation
from safety.envelope import Envelope, fresh_memory
from safety.loading.spec import load_envelope
from safety.memory import aged, remembered
from safety.proof.about_handover import time_to_arrive_s
from safety.rules.base import US_PER_S, Situation
from safety.rules.command_rules import Bound, Dwell, Permissive
from safety.values import (
    Command,
    Judgement,
    Memory,
    Observation,
    Proposal,
    Quality,
    Rung,
    Setpoints,
    Signal,
    Source,
    Tier,
)

_TRIES = 40


@dataclass(frozen=True, slots=True)
class Swept:
    """The result of a sweep: pairs tried, first refusals in words, the longest way in steps, and the bound on it."""

    pairs: int
    waived: int
    refusals: tuple[str, ...]
    longest_steps: int
    bound_steps: int

    @property
    def passes(self) -> bool:
        return self.pairs > 0 and not self.refusals and self.longest_steps <= self.bound_steps

    def lines(self) -> Iterator[str]:
        yield f"{self.pairs} pairs of a last command and an incumbent's target; in {self.waived} slew or dwell gave way"
        yield f"{len(self.refusals)} steps refused"
        yield from self.refusals[:5]
        yield f"longest way: {self.longest_steps} decisions; at most {self.bound_steps} are computed"


def sweep(envelope: Envelope, count: int, seed: int) -> Swept:
    """Try `count` pairs. A target that the rules do not permit is drawn again, so fewer may come about."""
    draw = random.Random(seed)
    bound = int(time_to_arrive_s(envelope) / (envelope.period_us / US_PER_S)) + 1
    pairs, waived, longest = 0, 0, 0
    refusals: list[str] = []
    for _ in range(count):
        observation, memory = _left_behind(envelope, draw)
        target = _target(envelope, observation, memory, draw)
        if target is None:
            continue
        pairs += 1
        steps, gave_way, refused = _regain(envelope, observation, memory, target, bound + 1)
        waived, longest = waived + gave_way, max(longest, steps)
        refusals += refused
    return Swept(pairs, waived, tuple(refusals), longest, bound)


def _left_behind(envelope: Envelope, draw: random.Random) -> tuple[Observation, Memory]:
    """A command inside every bound, what is measured now, and timers as they may be."""
    signals = {
        spec.name: Signal(
            _number(draw, spec.low, spec.high, spec.unit), Quality.GOOD if draw.random() < 0.97 else Quality.BAD
        )
        for spec in envelope.signals
    }
    observation = Observation(envelope.plant, "plant", 0, signals)
    rules = dict(fresh_memory(envelope).rules)
    for rule in envelope.command_rules:
        if isinstance(rule, Dwell):
            longest = 1.2 * max(rule.min_on_us, rule.min_off_us, rule.window_us)
            starts = sorted((draw.uniform(0, longest) for _ in range(rule.max_starts)), reverse=True)
            rules[rule.id] = (draw.uniform(0, longest), draw.uniform(0, longest), *starts)
    return observation, Memory(_inside(envelope, draw), Rung.CANDIDATE, rules=rules)


def _number(draw: random.Random, low: float, high: float, unit: str) -> float:
    """Money is whole; of a wide domain a tenth is looked at, so that limits are met and not always broken."""
    value = draw.uniform(low, high) if draw.random() < 0.5 else draw.uniform(low, low + (high - low) / 10)
    return float(round(value)) if unit == "micros" else value


def _inside(envelope: Envelope, draw: random.Random) -> dict[str, float]:
    bounds = {r.setpoint: r for r in envelope.command_rules if isinstance(r, Bound) and r.tier is Tier.T1}
    drawn = {}
    for spec in envelope.setpoints:
        low, high = bounds[spec.name].low, bounds[spec.name].high
        inside = [value for value in spec.values or () if low <= value <= high]
        edge = draw.choice((low, high, draw.uniform(low, high)))
        drawn[spec.name] = draw.choice(inside) if spec.values is not None else edge
    return drawn


def _target(envelope: Envelope, observation: Observation, memory: Memory, draw: random.Random) -> Setpoints | None:
    """A target that every rule on places permits the incumbent now, or None after some tries."""
    now = situation(observation, memory, envelope)
    rules = envelope.binding[Rung.INCUMBENT]
    limits = [rule for rule in rules if not rule.step_only or isinstance(rule, Permissive)]
    for _ in range(_TRIES):
        target = _pulled_in(envelope, _inside(envelope, draw), now)
        if all(rule.margin(target, now) >= 0 for rule in limits):
            return target
    return None


def _pulled_in(envelope: Envelope, target: Mapping[str, float], now: Situation) -> dict[str, float]:
    """A drawn target, moved into the boxes that are in force: most of them would be refused as they are."""
    moved = dict(target)
    for spec in envelope.setpoints:
        for rule in envelope.ramp_plan.by_setpoint[spec.name]:
            box = getattr(rule, "box", None)
            if box is None or spec.values is not None:
                continue
            low, high = box(moved, now)
            if low <= high:
                moved[spec.name] = min(max(moved[spec.name], low), high)
    return moved


def _regain(
    envelope: Envelope, observation: Observation, memory: Memory, target: Setpoints, most: int
) -> tuple[int, bool, list[str]]:
    """Decisions until the target is in force, whether anything gave way, and what was refused."""
    gave_way = False
    for at in range(1, most + 1):
        memory, _ = aged(memory, envelope, observation, envelope.period_us)
        now = situation(observation, memory, envelope)
        judged = judge_proposal(Proposal(Source.INCUMBENT, target), RUNG[Source.INCUMBENT], now, envelope)
        if not judged.verdict.accepted:
            return at, gave_way, [_refusal(judged, target)]
        gave_way = gave_way or any(finding.outcome == "waived" for finding in judged.verdict.findings)
        command = Command.from_judgement(judged, valid_for_us=envelope.valid_for_us, epoch=1)
        memory = remembered(memory, envelope, now.last, command, None)
        if command.setpoints == target:
            return at, gave_way, []
    return most + 1, gave_way, []


def _refusal(judged: Judgement, target: Setpoints) -> str:
    why = next(finding.detail for finding in judged.verdict.findings if finding.refuses)
    return (
        f"refused by {judged.verdict.first_out}: {why} (towards {', '.join(f'{n} {v:.6g}' for n, v in target.items())})"
    )


def main(given: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m safety.proof.sweep", description="Try handover out.")
    parser.add_argument("envelope", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(given)
    swept = sweep(load_envelope(args.envelope), args.count, args.seed)
    sys.stdout.write("\n".join((*swept.lines(), "")))
    return 0 if swept.passes else 1


if __name__ == "__main__":
    raise SystemExit(main())
