"""Many envelopes and many judgements, made by a seed: what the forms of the envelope are compared on."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safety.envelope import Envelope
from safety.forms.vectorised import Batch
from safety.loading.spec import EnvelopeModel, build_envelope
from safety.rules.base import Situation
from safety.values import Quality, Signal

WHY = {"hazard": "made up", "basis": "made up"}
# Every kind, the dear ones among them.
MIXED: Mapping[str, float] = {
    "interlock": 0.3, "when": 0.2, "relation": 0.15, "trust": 0.12,
    "window": 0.08, "permissive": 0.05, "budget": 0.05, "rate": 0.05,
}  # fmt: skip
# As the shipped envelopes have them, both taken together: no relation, few windows, much money.
SHIPPED: Mapping[str, float] = {
    "interlock": 0.2, "when": 0.1, "trust": 0.28, "window": 0.04, "budget": 0.21, "rate": 0.17,
}  # fmt: skip


def envelope_of(
    seed: int, *, setpoints: int = 12, signals: int = 40, rules: int = 150, mix: Mapping[str, float] = MIXED
) -> Envelope:
    """An envelope of that size: bounds, slews and dwells for all, and the other kinds as `mix` has them up to `rules`."""
    draw = np.random.default_rng(seed)
    names = [f"s{at}" for at in range(setpoints)]
    discrete = {name for name in names if draw.random() < 0.2}
    specs: list[dict[str, Any]] = [
        {"name": name, "unit": "u", "low": -100, "high": 100} | ({"values": [0, 1, 2]} if name in discrete else {})
        for name in names
    ]
    measured = [{"name": f"x{at}", "unit": "u", "low": -50, "high": 50} for at in range(signals)]
    money = [
        {"name": name, "unit": "micros", "low": 0, "high": 10**9} for name in ("spent", "reserved", "most", "charge")
    ]
    made: list[dict[str, Any]] = []
    for name in names:
        made.append(_rule(len(made), "bound", "T1", "u", setpoint=name, low=-60, high=60))
        if name in discrete:
            timed = {"min_on_s": 300, "min_off_s": 600, "max_starts": 2, "window_s": 3600}
            made.append(_rule(len(made), "dwell", "T3", "s", setpoint=name, **timed))
        else:
            made.append(_rule(len(made), "slew", "T4", "u", setpoint=name, up=5, down=8, per_s=300))
    smooth = [name for name in names if name not in discrete]
    while len(made) < rules:
        made.append(_drawn(len(made), draw, smooth, sorted(discrete), signals, mix))
    model = {
        "plant": "many", "period_s": 300, "guard_period_s": 30, "valid_for_s": 900, "hold_max_s": 600,
        "setpoint": specs, "signal": [*measured, *money], "rule": made,
    }  # fmt: skip
    return build_envelope(EnvelopeModel.model_validate(model))


def _rule(at: int, kind: str, tier: str, unit: str, **more: Any) -> dict[str, Any]:
    return {"id": f"R{at:03}", "kind": kind, "tier": tier, "unit": unit, **WHY, **more}


def _drawn(
    at: int,
    draw: np.random.Generator,
    smooth: list[str],
    discrete: list[str],
    signals: int,
    mix: Mapping[str, float],
) -> dict[str, Any]:
    def signal() -> str:
        return f"x{draw.integers(signals)}"

    one = str(draw.choice(smooth))
    kind = draw.choice(list(mix), p=list(mix.values()))
    if kind == "interlock":
        more = {"if_unknown": [-30, 30]} if draw.random() < 0.5 else {}
        return _rule(at, "interlock", "T2", "u", setpoint=one, low=f"{signal()} * 0.5 - 55.0", **more)
    if kind == "when":
        condition = f"{signal()} > 20 && !({signal()} < -20 || {signal()} - {signal()} <= 5)"
        if discrete:
            condition = f"({condition}) || {draw.choice(discrete)} >= 2"
        return _rule(at, "interlock", "T2", "u", setpoint=one, when=condition, high=f"30 + {signal()}", low=-50)
    if kind == "relation":
        other = str(draw.choice([name for name in smooth if name != one]))
        return _rule(at, "relation", "T1", "u", terms={one: 1, other: -0.7}, limit=f"60 + 0.3 * {signal()}")
    if kind == "trust":
        return _rule(at, "trust_region", "T5", "u", setpoint=one, distance=3)
    if kind == "window":
        return _rule(at, "rate_window", "T4", "u", setpoint=one, most=9, window_s=900)
    if kind == "permissive" and discrete:
        return _rule(at, "permissive", "T2", "u", setpoint=str(draw.choice(discrete)), require=f"{signal()} < 40")
    ledger = {"spent": "spent", "reserved": "reserved", "limit": "most", "max_charge": "charge", "idle": 20}
    if kind == "budget":
        return _rule(at, "budget", "T1", "u", setpoint=one, **ledger)
    return _rule(at, "spend_rate", "T1", "u", setpoint=one, **ledger, most_per_mille=1500)


def batch_of(envelope: Envelope, seed: int, size: int, *, wild: float = 0.02) -> Batch:
    """Near-feasible judgements: most accepted or refused by little; a share `wild` of NaN, inf and values on an edge."""
    draw = np.random.default_rng(seed)
    state: dict[str, NDArray[np.float64]] = {}
    last, target, step = {}, {}, {}
    calm = draw.random(size) < 0.5  # half of the judgements have nothing odd in them
    for spec in envelope.setpoints:
        if spec.values is not None:
            last[spec.name] = draw.choice(spec.values, size)
            target[spec.name] = np.where(draw.random(size) < 0.9, last[spec.name], draw.choice(spec.values, size))
            odd = ~calm & (draw.random(size) < wild)
            target[spec.name] = np.where(odd, draw.choice(_ODD[3:7], size), target[spec.name])
            step[spec.name] = np.where(draw.random(size) < 0.5, target[spec.name], last[spec.name])
            continue
        last[spec.name] = draw.normal(0.0, 8.0, size)
        target[spec.name] = last[spec.name] + draw.normal(0.0, 1.5, size)
        step[spec.name] = last[spec.name] + draw.random(size) * (target[spec.name] - last[spec.name])
        odd = ~calm & (draw.random(size) < wild)
        target[spec.name] = np.where(odd, draw.choice(_ODD, size), target[spec.name])
        step[spec.name] = np.where(~calm & (draw.random(size) < wild), draw.choice(_ODD, size), step[spec.name])
    signals = {}
    for signal in envelope.signals:
        value = np.floor(draw.random(size) * 1000.0) if signal.unit == "micros" else draw.normal(0.0, 12.0, size)
        if signal.name == "most":
            value = value + np.where(draw.random(size) < 0.9, 3000.0, 0.0)
        signals[signal.name] = np.where(~calm & (draw.random(size) < wild), draw.choice(_ODD, size), value)
    for rule in envelope.command_rules:
        kind = type(rule).__name__
        if kind == "Dwell":
            state[rule.id] = np.floor(draw.random((size, 3)) * np.array([4e9, 4e9, 3.6e9]))
            state[rule.id][draw.random(size) < 0.8, 2] = -np.inf
        elif kind == "RateWindow":
            state[rule.id] = draw.random(size) * 8.0
    reference = {name: value + draw.normal(0.0, 1.0, size) for name, value in step.items()}
    reference = {name: np.where(np.isfinite(value), value, 0.0) for name, value in reference.items()}
    return Batch(target, step, signals, np.full(size, 300.0), last, reference, state)


_ODD = np.array([np.nan, np.inf, -np.inf, -0.0, 60.0, np.nextafter(60.0, np.inf), -60.0, 1e308, 5e-324, 20.0])


def situation_of(batch: Batch, at: int, envelope: Envelope) -> tuple[dict[str, float], dict[str, float], Situation]:
    """One judgement of a batch as `judge` takes it: target, step, situation. A NaN signal is a bad one."""
    signals = {
        name: Signal(float(values[at]), Quality.BAD if np.isnan(values[at]) else Quality.GOOD)
        for name, values in batch.signals.items()
    }
    states: dict[str, tuple[float, ...]] = {}
    for rule in envelope.command_rules:
        kind = type(rule).__name__
        if kind == "Dwell":
            states[rule.id] = _dwell_state(rule, batch.states[rule.id][at])
        elif kind == "RateWindow":
            moved = float(batch.states[rule.id][at])
            states[rule.id] = (0.0, moved) if at % 2 else (0.0, moved / 2, 0.0, moved / 2)
    now = Situation(signals, _row(batch.last, at), _row(batch.reference, at), float(batch.dt_s[at]), states)
    return _row(batch.target, at), _row(batch.step, at), now


def _dwell_state(rule: Any, state: NDArray[np.float64]) -> tuple[float, ...]:
    """Since raise, since lowering; and, where a start window is in force, two starts of which the older must leave it."""
    since = (float(state[0]), float(state[1]))
    wait = float(state[2])
    return since if wait <= 0 else (*since, rule.window_us - wait, 0.0)


def _row(arrays: Mapping[str, NDArray[np.float64]], at: int) -> dict[str, float]:
    return {name: float(values[at]) for name, values in arrays.items()}
