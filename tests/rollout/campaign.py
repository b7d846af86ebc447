"""A made-up plant for whole campaigns: weather, load and block noise, no control physics. Seeded, pure."""

from dataclasses import dataclass, replace

import numpy as np

from controller.rollout.advance import advance
from controller.rollout.blocks import assign
from controller.rollout.effects import Effect
from controller.rollout.spec import RolloutSpec, load_spec
from controller.rollout.state import RolloutState
from controller.rollout.transitions import start
from shadow.evidence import Evidence, TickEvidence, observe_tick
from tests.paths import ROOT

DEMO = (ROOT / "deploy/sites/demo/rollout.toml").read_text()
KEY = b"a key for tests"
DAY_S = 86_400


def demo_spec() -> RolloutSpec:
    """The specification of the demo site."""
    return load_spec(DEMO)


def quick_spec() -> RolloutSpec:
    """The demo's blocks of 4 h with hourly ticks, limits on rates twelve times as wide: the same campaign, cheaper."""
    text = DEMO.replace("period_s = 300", "period_s = 3600").replace("block_ticks = 48", "block_ticks = 4")
    text = text.replace("washout_ticks = 12", "washout_ticks = 1").replace("clean_ticks = 288", "clean_ticks = 24")
    text = text.replace("p0 = 0.005", "p0 = 0.06").replace("p0 = 0.01", "p0 = 0.12")
    return load_spec(text.replace("bet = 50.0", "bet = 4.0"))


@dataclass(frozen=True)
class Campaign:
    """What a campaign came to: the last state, the evidence, the effects, and how long it ran [days]."""

    state: RolloutState
    evidence: Evidence
    effects: tuple[Effect, ...]
    days: float

    def entered_day(self, stage: str) -> float | None:
        """The day on which a stage was entered, or None."""
        days = [move.at_us / 1e6 / DAY_S for move in self.state.history if move.to_stage == stage]
        return days[0] if days else None


def run(
    spec: RolloutSpec,
    saving_frac: float,
    days: int,
    seed: int,
    noise_frac: float = 0.03,
    refusal_rate: float = 0.0,
    until: str = "",
) -> Campaign:
    """A year or less of one candidate that truly saves `saving_frac`; the noise belongs to blocks and drags on."""
    rng = np.random.default_rng(seed)
    period_us = spec.period_s * 1_000_000
    n = days * DAY_S // spec.period_s
    it_kwh, wet_bulb_c = _surroundings(rng, n, spec.period_s)
    noise = np.repeat(_dragging(rng, n // spec.block_ticks + 1, 0.5) * noise_frac, spec.block_ticks)[:n]
    base = it_kwh * (0.18 + 0.004 * np.maximum(wet_bulb_c, 5.0) + 0.0001 * wet_bulb_c**2) * (1.0 + noise)
    refused = rng.random(n) < refusal_rate
    evidence = Evidence.start("bundle", "plant", spec.evidence_settings())
    state, effects = start(spec, f"campaign-{seed}", evidence, 0)
    led = False
    for i in range(n):
        at_us = i * period_us
        tick = TickEvidence(
            at_us,
            *_decided(spec, state, at_us, bool(refused[i])),
            cost=None if i == 0 else float(base[i - 1]) * (1.0 - saving_frac * led),
            covariates=() if i == 0 else (float(it_kwh[i - 1]), float(wet_bulb_c[i - 1])),
        )
        tick = _placed(tick, spec, state, at_us)
        led = tick.in_control == "candidate"
        evidence = observe_tick(evidence, tick)
        state, more = advance(spec, state, evidence, at_us)
        effects += more
        if state.aborted_why or state.trip or (until and spec.stages[state.stage].name == until):
            return Campaign(state, evidence, effects, at_us / 1e6 / DAY_S)
    return Campaign(state, evidence, effects, float(days))


def _decided(spec: RolloutSpec, state: RolloutState, at_us: int, refused: bool) -> tuple[str, int, str, str, str, bool]:
    given = assign(spec, state, at_us, KEY)
    who = "incumbent" if refused else given.who
    return given.stage, given.block, given.who, who, "ok", refused


def _placed(tick: TickEvidence, spec: RolloutSpec, state: RolloutState, at_us: int) -> TickEvidence:
    given = assign(spec, state, at_us, KEY)
    return replace(tick, entry=given.entry, group=given.group, share=given.share)


def _surroundings(rng: np.random.Generator, n: int, period_s: int) -> tuple[np.ndarray, np.ndarray]:
    day = np.arange(n) * period_s / DAY_S
    slow = np.interp(day, np.arange(int(day[-1]) + 2), _dragging(rng, int(day[-1]) + 2, 0.7))
    wet_bulb_c = 12.0 - 9.0 * np.cos(2 * np.pi * day / 365) + 3.0 * np.sin(2 * np.pi * (day - 0.35)) + 2.5 * slow
    it_kwh = period_s / 300 * 40.0 * (1.0 + 0.12 * np.sin(2 * np.pi * (day - 0.3)) + 0.02 * rng.standard_normal(n))
    return it_kwh, wet_bulb_c


def _dragging(rng: np.random.Generator, n: int, keep: float) -> np.ndarray:
    """Unit-variance noise of which each value keeps a part of the one before. Shape [n]."""
    fresh = rng.standard_normal(n) * np.sqrt(1.0 - keep**2)
    out = np.empty(n)
    last = rng.standard_normal()
    for i in range(n):
        last = keep * last + fresh[i]
        out[i] = last
    return out
