"""Small envelopes of all kinds of command rules, and judgements that lie on each rule's own edge.

`envelope_of_some_kinds` draws an envelope in which no rule hides behind another, so that each can be the sole cause of a
refusal; a few envelopes together have every kind. `cases_of` draws situations: signals that are good, bad, stale, missing,
NaN or infinite, and memory aged by a clock that may go back. For each it draws many pairs of target and step: near what is
permitted, up to 2 ulp to either side of a rule's edge, beyond it, or not a number. All of it is drawn with numpy, and
the timers are worked out here once more: a second bookkeeper beside `safety.memory`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safety.decide import observe, situation
from safety.envelope import Envelope
from safety.forms.vectorised import Batch
from safety.loading.spec import EnvelopeModel, build_envelope
from safety.rules.base import CommandRule, Situation
from safety.rules.command_rules import Bound, Dwell, Interlock, Permissive, RateWindow, Relation, Slew, TrustRegion
from safety.rules.conditions import Linear
from safety.rules.money_rules import Budget, SpendRate
from safety.values import Memory, Observation, Quality, Rung, Signal

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

NAMES = ("air", "water", "bid", "pumps")
SMOOTH = ("air", "water", "bid")
SIGNALS = ("x0", "x1", "x2", "x3")
LEDGER = ("spent", "reserved", "most", "plan", "charge")
PERIOD_US = 300_000_000
WHY = {"hazard": "made up", "basis": "made up"}
CONDITIONS = (
    "{a} > {n}",
    "{a} >= {n} && {b} < {m}",
    "{a} < {n} || {b} > {m}",
    "!({a} <= {n}) && !({b} == {m})",
    "({a} - {b} >= {n} || pumps >= 2) && {b} * 0.5 + {a} <= {m}",
    "{a} != {n} && !({b} > {m} || -{a} + 2 * {b} > {m})",
)
ODD = np.array([np.nan, np.inf, -np.inf, -0.0, 1e308, -1e308, 5e-324, 1e160, 2.0**53])
# Rules of money take longest to judge plainly, and there are two.
_KEPT = {"budget": 0.35, "spend_rate": 0.35}
AT_MOST = 3  # starts, and moves, that a timed rule remembers here


def envelope_of_some_kinds(seed: int) -> Envelope:
    """An envelope of four setpoints: their bounds, and about half of one rule or more of every kind that judges them."""
    return build_envelope(EnvelopeModel.model_validate(_Drawn(np.random.default_rng(seed)).model()))


class _Drawn:
    """The numbers of one envelope, drawn."""

    def __init__(self, draw: np.random.Generator) -> None:
        self.draw = draw

    def number(self, low: float, high: float) -> float:
        return float(np.round(self.draw.uniform(low, high), 2))

    def maybe(self, **what: Any) -> dict[str, Any]:
        return what if self.draw.random() < 0.5 else {}

    def model(self) -> dict[str, Any]:
        units = {"air": "u", "water": "u", "bid": "v"}
        setpoints = [{"name": name, "unit": unit, "low": -100, "high": 100} for name, unit in units.items()]
        setpoints.append({"name": "pumps", "unit": "count", "low": 0, "high": 3, "values": [0, 1, 2, 3]})
        signals = [{"name": name, "unit": "u", "low": -50, "high": 50} for name in SIGNALS]
        signals += [{"name": name, "unit": "micros", "low": 0, "high": 10**9} for name in LEDGER]
        rules = [*self.still(), *self.moving(), *self.money()]
        kept = [rule for rule in rules if rule["kind"] == "bound" or self.draw.random() < _KEPT.get(rule["kind"], 0.55)]
        return {
            "plant": "edges", "period_s": 300, "guard_period_s": 30, "valid_for_s": 900, "hold_max_s": 600,
            "setpoint": setpoints, "signal": signals, "rule": kept,
        }  # fmt: skip

    def rule(self, name: str, kind: str, tier: str, unit: str, **more: Any) -> dict[str, Any]:
        return {"id": name, "kind": kind, "tier": tier, "unit": unit, **WHY, **more}

    def still(self) -> list[dict[str, Any]]:
        """The rules on the value of a setpoint, wherever it comes from."""
        n = self.number
        one, two = (str(name) for name in self.draw.choice(SIGNALS, 2, replace=False))
        when = str(self.draw.choice(CONDITIONS)).format(a=one, b=two, n=n(-5, 5), m=n(-5, 5))
        tier = str(self.draw.choice(["T1", "T2"]))
        return [
            self.rule("AIR-BOUND", "bound", "T1", "u", setpoint="air", low=n(-26, -22), high=n(18, 22)),
            self.rule("WATER-BOUND", "bound", "T1", "u", setpoint="water", low=n(-24, -20), high=n(20, 24)),
            self.rule("BID-BOUND", "bound", "T1", "v", setpoint="bid", low=n(-9, -1), high=n(60, 90)),
            self.rule("PUMPS-BOUND", "bound", "T1", "count", setpoint="pumps", low=0, high=2),
            self.rule("AIR-FLOOR", "interlock", "T2", "u", setpoint="air", low=f"x0 * {n(0.4, 0.9)} - {n(20, 24)}",
                      **self.maybe(if_unknown=[n(-15, -10), n(10, 15)])),
            self.rule("AIR-WHEN", "interlock", tier, "u", setpoint="air", when=when, high=f"{n(11, 14)} + 0.2 * x1"),
            self.rule("WATER-BAND", "interlock", "T2", "u", setpoint="water", low=f"x2 - {n(18, 22)}", high=f"{n(18, 22)} + x2",
                      **self.maybe(if_unknown=[n(-15, -5), n(5, 15)])),
            self.rule("PUMPS-WHEN", "interlock", "T2", "count", setpoint="pumps", when=f"x3 > {n(2, 9)}", high=1),
            self.rule("BID-WHEN", "interlock", "T5", "v", setpoint="bid", when=f"pumps >= 1 && x0 < {n(2, 9)}", high=n(35, 50)),
            self.rule("SHARE", "relation", "T1", "u", terms={"air": 1, "water": n(0.3, 0.9)},
                      limit=f"{n(20, 26)} + {n(0.1, 0.4)} * x1"),
        ]  # fmt: skip

    def moving(self) -> list[dict[str, Any]]:
        """The rules on how far and when a setpoint may be changed."""
        n = self.number
        free = {"down": n(6, 9)} | self.maybe(up=n(4, 6))
        starts = self.maybe(max_starts=int(self.draw.integers(1, AT_MOST)), window_s=3600)
        return [
            self.rule("AIR-SLEW", "slew", "T4", "u", setpoint="air", up=n(3, 5), down=n(3, 5), per_s=300),
            self.rule("WATER-SLEW", "slew", "T4", "u", setpoint="water", per_s=300, safe_direction="up", **free),
            self.rule("BID-SLEW", "slew", "T4", "v", setpoint="bid", up=n(6, 9), down=n(6, 9), per_s=300),
            self.rule("AIR-WINDOW", "rate_window", "T4", "u", setpoint="air", most=n(4, 6), window_s=900),
            self.rule("WATER-TRUST", "trust_region", "T5", "u", setpoint="water", distance=n(2, 4)),
            self.rule("BID-TRUST", "trust_region", "T5", "v", setpoint="bid", distance=n(2, 4)),
            self.rule("PUMPS-DWELL", "dwell", "T3", "s", setpoint="pumps", min_on_s=300, min_off_s=600, **starts),
            self.rule("PUMPS-START", "permissive", "T3", "count", setpoint="pumps", require=f"x2 + {n(0, 3)} > {n(-4, 0)}"),
        ]  # fmt: skip

    def money(self) -> list[dict[str, Any]]:
        n = self.number
        ledger = {"setpoint": "bid", "spent": "spent", "reserved": "reserved", "max_charge": "charge"}
        per_mille = int(self.draw.integers(800, 1600))
        return [
            self.rule("BID-BUDGET", "budget", "T1", "v", **ledger, limit="most", idle=n(0, 5)),
            self.rule("BID-RATE", "spend_rate", "T1", "v", **ledger, limit="plan", idle=n(5, 9), most_per_mille=per_mille),
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cases:
    """Judgements of one envelope: `batch` for all at once `[n]`, and row by row the same for the other two forms.

    `now[k]` is the situation of the cases `k * per_situation` and on; `targets` and `steps` are rows in the order NAMES.
    """

    batch: Batch
    now: tuple[Situation, ...]
    targets: list[tuple[float, ...]]
    steps: list[tuple[float, ...]]
    per_situation: int


def cases_of(envelope: Envelope, seed: int, *, situations: int, per_situation: int, alone: str = "") -> Cases:
    """Judgements drawn by a seed. `alone` is "last" where no command is in force, "reference" where no incumbent's step is."""
    draw = np.random.default_rng((seed, 1))
    world = _World(envelope, draw, situations)
    at = np.repeat(np.arange(situations), per_situation)
    target, step = _proposed(world, draw, at)
    last = {} if alone == "last" else world.last
    reference = {} if alone == "reference" else world.reference
    now = tuple(world.situation(k, bool(last), bool(reference)) for k in range(situations))
    dt_s = np.array([each.dt_s for each in now])
    batch = Batch(
        target, step,
        {name: values[at] for name, values in world.known.items()},
        dt_s[at],
        {name: values[at] for name, values in last.items()},
        {name: values[at] for name, values in reference.items()},
        {name: values[at] for name, values in world.states.items()},
    )  # fmt: skip
    return Cases(batch, now, _rows(target), _rows(step), per_situation)


def _rows(vectors: Mapping[str, Floats]) -> list[tuple[float, ...]]:
    return list(zip(*(vectors[name].tolist() for name in NAMES), strict=True))


class _World:
    """What surrounds the judgements: arrays `[situations]`."""

    def __init__(self, envelope: Envelope, draw: np.random.Generator, size: int) -> None:
        self.envelope, self.draw, self.size = envelope, draw, size
        self.rules = {rule.id: rule for rule in envelope.command_rules}
        self.last = {name: draw.normal(0.0, 6.0, size) for name in ("air", "water")}
        self.last["bid"] = draw.normal(20.0, 4.0, size)
        self.last["pumps"] = draw.choice([0.0, 0.0, 1.0, 1.0, 2.0], size)
        self.reference = {name: self.last[name] + draw.normal(0.0, 1.0, size) for name in NAMES}
        self.raw, self.fate = self._signals()
        unknown = (self.fate != "good") & (self.fate != "infinite")
        self.known = {
            name: np.where(unknown[:, at], np.nan, self.raw[:, at]) for at, name in enumerate((*SIGNALS, *LEDGER))
        }
        self.since_us = draw.choice(
            [0, 1, 30_000_000, PERIOD_US - 1, PERIOD_US, 10**10], size, p=[0.03, 0.02, 0.1, 0.1, 0.5, 0.25]
        )
        self.elapsed_us = draw.choice([0, 1, 270_000_000, PERIOD_US, -1, -(10**12)], size)
        self.before = {rule.id: self._remembered(rule) for rule in envelope.command_rules if _timed(rule)}
        self.states = {name: self._aged(self.rules[name], state) for name, state in self.before.items()}

    def _signals(self) -> tuple[Floats, NDArray[np.str_]]:
        """Values and their qualities `[situations, signals]`; most situations know everything."""
        draw, size = self.draw, self.size
        raw = np.empty((size, len(SIGNALS) + len(LEDGER)))
        raw[:, : len(SIGNALS)] = draw.normal(0.0, 6.0, (size, len(SIGNALS)))
        spent, reserved, charge = (np.floor(draw.random(size) * 1000.0) for _ in range(3))
        # What is left: mostly plenty, else none, or a micro to either side of the edge.
        left = np.where(draw.random((2, size)) < 0.8, 5000.0, draw.integers(-2, 3, (2, size)).astype(float))
        out = spent + reserved + charge
        most = np.maximum(out + left[0], 0.0)
        plan = np.maximum(np.ceil(out * 1000.0 / self._per_mille()) + left[1], 0.0)
        raw[:, len(SIGNALS) :] = np.stack([spent, reserved, most, plan, charge], axis=1)
        fate = np.full(raw.shape, "good", dtype="<U8")
        struck = draw.random(size) < 0.04
        which = draw.integers(raw.shape[1], size=size)
        fates = draw.choice(["bad", "stale", "missing", "nan", "infinite", "odd"], size)
        for k in np.flatnonzero(struck):
            fate[k, which[k]] = fates[k]
            if fates[k] in ("nan", "infinite", "odd"):
                raw[k, which[k]] = {"nan": np.nan, "infinite": np.inf}.get(fates[k], -0.5)
                fate[k, which[k]] = "nan" if fates[k] == "nan" else "infinite"  # "infinite": known, and odd
        return raw, fate

    def _per_mille(self) -> int:
        return next((rule.most_per_mille for rule in self.rules.values() if isinstance(rule, SpendRate)), 1000)

    def _remembered(self, rule: CommandRule) -> Floats:
        """Before ageing, `[situations, 2 + starts]` or `[situations, moves, 2]`; NaN where there is nothing."""
        draw, size = self.draw, self.size
        edge = 3_600_000_000 if isinstance(rule, Dwell) else rule.window_us  # type: ignore[attr-defined]
        ages = draw.integers(0, edge * 5 // 4, (size, AT_MOST)).astype(float)
        close = draw.random((size, AT_MOST)) < 0.3
        behind = np.maximum(self.elapsed_us, 0)[:, None]
        ages = np.where(close, np.maximum(edge - behind + draw.integers(-2, 3, (size, AT_MOST)), 0), ages)
        absent = draw.random((size, AT_MOST)) < 0.5
        if isinstance(rule, Dwell):
            since = draw.choice([0, 299_999_999, 300_000_000, 599_999_999, 600_000_000, 10**10, 10**10], (size, 2))
            starts = np.where(absent, np.nan, np.sort(ages, axis=1)[:, ::-1])
            return np.concatenate([since.astype(float), starts], axis=1)
        distances = draw.random((size, AT_MOST)) * 2.0
        return np.where(absent[:, :, None], np.nan, np.stack([np.sort(ages, axis=1)[:, ::-1], distances], axis=2))

    def _aged(self, rule: CommandRule, before: Floats) -> Floats:
        """The state of a timed rule once time has passed, as the vectorised form takes it. A clock that went back adds none."""
        passed = np.maximum(self.elapsed_us, 0).astype(float)
        if isinstance(rule, Dwell):
            ages = before[:, 2:] + passed[:, None]
            ages = np.sort(np.where(ages < rule.window_us, ages, np.nan), axis=1)  # the youngest first, NaN last
            full = rule.window_us - ages[:, rule.max_starts - 1] if rule.max_starts else np.full(self.size, np.nan)
            return np.stack(
                [before[:, 0] + passed, before[:, 1] + passed, np.where(np.isnan(full), -np.inf, full)], axis=1
            )
        assert isinstance(rule, RateWindow)
        moved = np.zeros(self.size)
        for at in range(AT_MOST):
            moved = moved + np.where(before[:, at, 0] + passed < rule.window_us, before[:, at, 1], 0.0)
        return moved

    def situation(self, k: int, with_last: bool, with_reference: bool) -> Situation:
        """The situation the kernel itself makes of an observation and a memory."""
        signals = {
            name: Signal(float(self.raw[k, at]), _QUALITY.get(str(self.fate[k, at]), Quality.GOOD), 5)
            for at, name in enumerate((*SIGNALS, *LEDGER))
            if self.fate[k, at] != "missing"
        }
        last = {name: float(values[k]) for name, values in self.last.items()} if with_last else None
        rules = {name: tuple(v for v in state[k].flat if v == v) for name, state in self.before.items()}
        memory = Memory(last=last, rung=Rung.INCUMBENT, since_us=int(self.since_us[k]), rules=rules)
        seen = Observation("edges", "plant", 0, signals, applied=last)
        seen, memory, _ = observe(seen, self.envelope, memory, int(self.elapsed_us[k]))
        now = situation(seen, memory, self.envelope)
        reference = {name: float(values[k]) for name, values in self.reference.items()} if with_reference else None
        return Situation(now.signals, now.last, reference, now.dt_s, now.states)

    def edge(
        self, rule: CommandRule, at: NDArray[np.int64], target: Mapping[str, Floats], high: Flags
    ) -> tuple[str, Floats]:
        """A setpoint of the rule and the value at which it begins to refuse, for the situations `at`."""
        dt_s = np.minimum(self.since_us + np.maximum(self.elapsed_us, 0), PERIOD_US)[at] / 1e6
        match rule:
            case Bound():
                return rule.setpoint, np.where(high, rule.high, rule.low)
            case Interlock():
                low, top = self.linear(rule.low, at), self.linear(rule.high, at)
                if low is None or top is None:
                    return rule.setpoint, np.asarray(top if low is None else low)
                return rule.setpoint, np.where(high, top, low)
            case Relation():
                (one, coefficient), *others = rule.terms
                rest = sum((c * target[name] for name, c in others), np.zeros(len(at)))
                limit = self.linear(rule.limit, at)
                assert limit is not None
                return one, (limit - rest) / coefficient
            case Slew():
                up, down = min(rule.up_per_s, 1e9) * dt_s, min(rule.down_per_s, 1e9) * dt_s
                return rule.setpoint, self.last[rule.setpoint][at] + np.where(high, up, -down)
            case TrustRegion():
                return rule.setpoint, self.reference[rule.setpoint][at] + np.where(high, rule.distance, -rule.distance)
            case RateWindow():
                left = np.maximum(0.0, rule.most - self.states[rule.id][at])
                return rule.setpoint, self.last[rule.setpoint][at] + np.where(high, left, -left)
            case Budget():
                return rule.setpoint, np.full(len(at), rule.idle)
            case Dwell() | Permissive():
                return rule.setpoint, np.clip(self.last[rule.setpoint][at] + np.where(high, 1.0, -1.0), 0.0, 3.0)
            case _:
                raise TypeError(f"kind {type(rule).__name__} has no edge here: add one")

    def linear(self, linear: Linear | None, at: NDArray[np.int64]) -> Floats | None:
        if linear is None:
            return None
        total = np.full(len(at), linear.constant)
        for name, coefficient in linear.terms:
            total = total + coefficient * self.known[name][at]
        return total


_QUALITY = {"bad": Quality.BAD, "stale": Quality.STALE}


def _timed(rule: CommandRule) -> bool:
    return isinstance(rule, Dwell | RateWindow)


def _proposed(
    world: _World, draw: np.random.Generator, at: NDArray[np.int64]
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Targets and steps `[n]`: first all a little way from the last command, then most of them put on a rule's edge."""
    size = len(at)
    target, step = {}, {}
    fraction = draw.random(size)
    for name in SMOOTH:
        target[name] = world.last[name][at] + draw.normal(0.0, 0.7, size)
        step[name] = world.last[name][at] + fraction * (target[name] - world.last[name][at])
    target["pumps"] = world.last["pumps"][at].copy()
    step["pumps"] = target["pumps"].copy()
    chosen, high, side = (
        draw.integers(len(world.rules) + 4, size=size),
        draw.random(size) < 0.5,
        draw.integers(3, size=size),
    )
    # 2 ulp to either side, or well beyond.
    ulps, beyond = draw.integers(-2, 3, size), np.where(draw.random(size) < 0.25, draw.random(size) * 2.0, 0.0)
    for number, rule in enumerate(world.rules.values()):
        mine = np.flatnonzero(chosen == number)
        name, edge = world.edge(rule, at[mine], {n: values[mine] for n, values in target.items()}, high[mine])
        if name in SMOOTH:
            edge = edge + ulps[mine] * np.spacing(edge) + np.where(high[mine], 1.0, -1.0) * beyond[mine]
        usable = ~np.isnan(edge)
        # A target may lie anywhere; a step goes to the edge too where the rule is about steps, or by chance.
        for vector, sides in ((target, (0, 2)), (step, (1, 2))):
            put = usable & (np.isin(side[mine], sides) | (rule.step_only and vector is step))
            vector[name][mine[put]] = edge[put]
    arrived = draw.random(size) < 0.2
    for name in NAMES:
        target[name] = np.where(arrived, step[name], target[name])
    odd = np.flatnonzero(draw.random(size) < 0.01)
    for vector in (target, step):
        name_of = draw.integers(len(NAMES), size=len(odd))
        for number, name in enumerate(NAMES):
            struck = odd[name_of == number]
            vector[name][struck] = draw.choice(ODD, len(struck))
    return target, step
