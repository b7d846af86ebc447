"""One account behind named signals and setpoints: what a plant port needs of the simulator.

Signals and setpoints carry units; a campaign's name is `c0`, `c1`, ... in the order of the account.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulators.bidding.controllers.base import MULTIPLIER_MAX, cost_per_predicted, left_ratio, planned_frac
from simulators.bidding.physics.params import Params
from simulators.bidding.physics.state import State, from_bytes, initial, to_bytes
from simulators.bidding.physics.step import Outputs, step
from simulators.bidding.world.build import build
from simulators.bidding.world.curves import TICK_S
from simulators.bidding.world.observation import Account, account, column, ratio
from simulators.bidding.world.scenario import scenario
from simulators.bidding.world.streams import Noise


@dataclass(frozen=True, slots=True)
class BiddingSignal:
    """A named measured or commanded value: unit, the range it can take, and one sentence."""

    name: str
    unit: str
    low: float
    high: float
    description: str


_MONEY_MAX = 1e15
_SIGNALS: tuple[tuple[str, str, float, float, str], ...] = (
    ("budget_micros", "micros", 0.0, _MONEY_MAX, "budget of the flight"),
    ("available_micros", "micros", 0.0, _MONEY_MAX, "budget neither spent nor reserved"),
    ("reserved_micros", "micros", 0.0, _MONEY_MAX, "held for wins that are not billed yet"),
    ("spent_micros", "micros", 0.0, _MONEY_MAX, "billed so far"),
    ("cost_micros", "micros", 0.0, _MONEY_MAX, "estimated cost so far, wins not billed yet included"),
    ("budget_used_frac", "frac", 0.0, 1.0, "spent and reserved, over the budget"),
    ("planned_frac", "frac", 0.0, 1.0, "share of the flight's traffic that the forecast puts before now"),
    ("plan_micros", "micros", 0.0, _MONEY_MAX, "what the forecast has spent by the end of the coming tick"),
    ("bid_cap_micros", "micros", 0.0, 1e9, "the dearest bid there can be, which every bid needs room for"),
    ("multiplier_cap", "ratio", 0.0, MULTIPLIER_MAX, "twice the multiplier at which the mean bid meets the cap"),
    ("floor_micros", "micros", 0.0, 1e9, "the lowest floor that sellers ask"),
    ("time_left_frac", "frac", 0.0, 1.0, "share of the flight still to come"),
    (
        "left_ratio",
        "ratio",
        0.0,
        1e3,
        "budget left over traffic to come, as shares, of the tightest budget; at most 1 while most of it is reserved",
    ),
    ("target_cpa_micros", "micros", 0.0, _MONEY_MAX, "what a conversion may cost"),
    ("cost_ratio", "ratio", 0.0, 1e6, "estimated cost so far over what the target allows for predicted conversions"),
    ("conversions", "count", 0.0, 1e9, "conversions noticed so far"),
    ("predicted_conversions", "count", 0.0, 1e9, "conversions predicted for the wins so far"),
    ("clicks", "count", 0.0, 1e12, "clicks so far"),
    ("impressions", "count", 0.0, 1e12, "bid requests in the last tick"),
    ("wins", "count", 0.0, 1e12, "wins noticed in the last tick"),
    ("win_rate_frac", "frac", 0.0, 1.0, "wins over bid requests, last three ticks"),
    ("bid_mean_micros", "micros", 0.0, 1e9, "mean bid, last three ticks"),
    ("price_mean_micros", "micros", 0.0, 1e9, "mean price of a win, last three ticks"),
    ("value_mean_micros", "micros", 0.0, 1e9, "mean predicted worth of a bid request at target, last three ticks"),
    ("disputed_micros", "micros", 0.0, _MONEY_MAX, "billed above our bids and refused"),
    ("duplicate_bills", "count", 0.0, 1e12, "bills that came twice and were counted once"),
)


def planned_micros(view: Account) -> np.ndarray:
    """Money that the forecast has spent by the end of the coming tick [L, C], whole micros."""
    share = np.minimum(view.forecast[:, :, : view.tick + 1].sum(axis=2), 1.0)
    return np.asarray(np.floor(view.budget_micros * share))


def multiplier_cap(view: Account) -> np.ndarray:
    """The multiplier [L, C] at which half of the mean bid, by the last three ticks, meets the bid cap.

    Beyond it most bids are cut to the cap and the multiplier has no effect. `MULTIPLIER_MAX` until something was seen.
    """
    three = view.recent.sum(axis=2)
    worth = ratio(three, "value_pico", "sampled") * 1e-12 * view.target_cpa_micros
    cap = 2.0 * view.bid_cap_micros / np.maximum(worth, 1e-9)
    return np.asarray(np.minimum(cap, MULTIPLIER_MAX))


def signal_specs(campaigns: int) -> tuple[BiddingSignal, ...]:
    """All signals of an account, campaign by campaign: `<signal>_c<i>`."""
    return tuple(
        BiddingSignal(f"{name}_c{i}", unit, low, high, f"campaign {i}: {text}")
        for i in range(campaigns)
        for name, unit, low, high, text in _SIGNALS
    )


def setpoint_specs(campaigns: int) -> tuple[BiddingSignal, ...]:
    """All setpoints: `multiplier_c<i>`, on the target CPA times the predicted chance of a conversion."""
    text = "bid = multiplier * target CPA * predicted chance of a conversion"
    return tuple(
        BiddingSignal(f"multiplier_c{i}", "ratio", 0.0, MULTIPLIER_MAX, f"campaign {i}: {text}")
        for i in range(campaigns)
    )


def observe(state: State, params: Params, lane: int = 0) -> dict[str, float]:
    """Signals of one lane by name, in the order of `signal_specs`."""
    columns = _columns(state, account(state, params)) | {"floor_micros": params.atom_micros.min(axis=2)}
    return {f"{name}_c{i}": float(columns[name][lane, i]) for i in range(params.shape[1]) for name, *_ in _SIGNALS}


def _columns(state: State, view: Account) -> dict[str, np.ndarray]:
    """Every signal [L, C]."""
    last, three = view.recent[:, :, 0, :], view.recent.sum(axis=2)
    return {
        "budget_micros": view.budget_micros,
        "available_micros": view.available_micros,
        "reserved_micros": view.reserved_micros,
        "spent_micros": view.spent_micros,
        "cost_micros": view.cost_micros,
        "budget_used_frac": (view.spent_micros + view.reserved_micros) / view.budget_micros,
        "planned_frac": np.minimum(planned_frac(view), 1.0),
        "plan_micros": planned_micros(view),
        "bid_cap_micros": view.bid_cap_micros,
        "multiplier_cap": multiplier_cap(view),
        "time_left_frac": np.full(view.budget_micros.shape, 1 - view.tick / view.ticks),
        "left_ratio": left_ratio(view),
        "target_cpa_micros": view.target_cpa_micros,
        "cost_ratio": cost_per_predicted(view),
        "conversions": column(view.total, "conversions"),
        "predicted_conversions": view.predicted,
        "clicks": column(view.total, "clicks"),
        "impressions": column(last, "impressions"),
        "wins": column(last, "wins"),
        "win_rate_frac": np.minimum(ratio(three, "wins", "impressions"), 1.0),
        "bid_mean_micros": ratio(three, "bid_micros", "sampled"),
        "price_mean_micros": ratio(three, "paid_micros", "wins"),
        "value_mean_micros": ratio(three, "value_pico", "sampled") * 1e-12 * view.target_cpa_micros,
        "disputed_micros": state.disputed_micros.astype(np.float64),
        "duplicate_bills": state.duplicates.astype(np.float64),
    }


class Exchange:
    """One account of a scenario, advanced tick by tick with named multipliers; it can be saved and restored exactly.

    It keeps the flight's parameters, which follow from (scenario, seed, campaigns), and the state, which is a value.
    """

    def __init__(self, name: str, seed: int, campaigns: int) -> None:
        self.name, self.seed = name, seed
        self.noise = Noise(name, (seed,), (0,))
        self.params = build(scenario(name), self.noise, campaigns)
        self.state = initial(self.params)

    @property
    def tick_s(self) -> int:
        """Length of a tick [s]."""
        return TICK_S

    @property
    def over(self) -> bool:
        """Whether the flight has ended; `advance` then refuses."""
        return self.state.tick >= self.params.ticks

    def view(self) -> Account:
        """The argument of an incumbent's `propose`."""
        return account(self.state, self.params)

    def signals(self) -> dict[str, float]:
        """Signals by name."""
        return observe(self.state, self.params)

    def advance(self, multipliers: Mapping[str, float]) -> Outputs:
        """Bid for half an hour; raises `ValueError` unless exactly the setpoints of `setpoint_specs` are given."""
        wanted = [spec.name for spec in setpoint_specs(self.params.shape[1])]
        if set(multipliers) != set(wanted):
            raise ValueError(f"given setpoints {sorted(multipliers)}, wanted exactly {wanted}")
        row = np.asarray([[multipliers[name] for name in wanted]], dtype=np.float64)
        self.state, outputs = step(self.state, row, self.params, self.noise)
        return outputs

    def save(self) -> bytes:
        """Everything needed to go on: the world's name, seed and size, and the state's bits. No pickle."""
        head = {"scenario": self.name, "seed": self.seed, "campaigns": self.params.shape[1]}
        return json.dumps(head).encode() + b"\n" + to_bytes(self.state)

    @classmethod
    def restore(cls, data: bytes) -> "Exchange":
        """Rebuild what `save` wrote; raises `ValueError` for anything else."""
        buffer = io.BytesIO(data)
        try:
            head = json.loads(buffer.readline())
            exchange = cls(str(head["scenario"]), int(head["seed"]), int(head["campaigns"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"not a saved exchange: {error}") from error
        exchange.state = from_bytes(buffer.read())
        return exchange
