"""The simulated advertiser account behind the plant port: day after day of the same campaigns, resumable to the bit.

A day is a flight: every campaign has its budget for it, and starts again with the next. Half an hour is one step of the
exchange and cannot be divided, so a command takes effect at the next half hour. Lane 0 is the account; the others
are twins that meet the same traffic and prices under other controllers. Without a command in force nothing is bid.
Where the scenario cuts the bidder off, commands are refused, reports grow old, and what stands expires as ever.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from controller.errors import SettingsError, StateError
from controller.plants.bidding.settings import BiddingSettings
from controller.plants.snapshot import (
    SnapshotFile,
    Twin,
    WireStanding,
    WireTwin,
    standing_of,
    twin_of,
    wire_standing,
    wire_twin,
)
from controller.ports import Outcome, OutcomeSpec, Quantity
from controller.settings import Site
from safety.command_lease import Standing, in_force, taken
from safety.envelope import Envelope
from safety.values import Authority, Command, Observation, Receipt, Setpoints, Signal
from simulators.bidding.physics.params import Params
from simulators.bidding.physics.state import HISTORY, State, from_bytes, initial, to_bytes
from simulators.bidding.physics.step import step
from simulators.bidding.tools.evaluate import soft_score
from simulators.bidding.world.build import another_flight
from simulators.bidding.world.curves import TICK_S
from simulators.bidding.world.scenario import resized, scenario
from simulators.bidding.world.signals import observe, setpoint_specs
from simulators.bidding.world.streams import Noise

Floats = NDArray[np.float64]
LANES = ("applied", "incumbent", "candidate")
TICK_US = TICK_S * 1_000_000
DAY_US = 86_400_000_000
OUTCOME = OutcomeSpec(
    cost=Quantity("missed_worth", "currency", "Worth on offer that was missed"),
    guards=(Quantity("excess_cost", "currency", "Cost beyond target"),),
    covariates=(Quantity("offered", "currency", "Worth on offer"),),
)
SCHEMA = 2
_VALUE = HISTORY.index("value_pico")


@dataclass(slots=True)
class Meters:
    """What has been measured since the start of the run, per lane [lanes], money in the account's currency.

    `offered` is the worth at target of all that could have been won; `score` the worth of what was, softened where it
    cost too much; `excess` cost beyond what the target allows. The last two are settled again after every half hour.
    """

    offered: Floats
    score: Floats
    excess: Floats
    breach_s: Floats

    @property
    def missed(self) -> Floats:
        """The cost, which an account must keep small: worth on offer that did not become score."""
        return self.offered - self.score

    def row(self) -> tuple[float, float, float, float]:
        """Missed worth, excess, breach and worth on offer of lane 0."""
        return float(self.missed[0]), float(self.excess[0]), float(self.breach_s[0]), float(self.offered[0])


class _Snapshot(msgspec.Struct, array_like=True):
    schema: int
    seed: int
    flight: int
    state: bytes
    multipliers: list[list[float]]
    meters: list[list[float]]
    reported: tuple[int, float, float, float, float]
    standing: WireStanding
    twins: dict[str, WireTwin]
    billed_before: list[int]


class AdAccount:
    """A simulated account and its twins. Implements `ports.Plant`; `command` and `observation` are for the twins' lanes."""

    simulated = True
    outcome_spec = OUTCOME
    lane_names = LANES

    def __init__(
        self, site: Site, settings: BiddingSettings, envelope: Envelope, *, seed: int, snapshot: Path | None
    ) -> None:
        """The account as it was saved in `snapshot`, or at the start of its run.

        Raises:
            SettingsError: site, settings and envelope do not describe one account.
            StateError: `snapshot` is of another run or cannot be read.
        """
        self.settings, self.name, self.seed = settings, site.settings.plant.name, seed
        self.start_us = site.start_us
        self._command_ticks = max(envelope.valid_for_us // TICK_US, 1)
        self.setpoints = [spec.name for spec in setpoint_specs(self.settings.campaigns)]
        self._check(envelope)
        self._store = None if snapshot is None else SnapshotFile(snapshot)
        self._standing = Standing()
        lanes = len(LANES)
        self.meters = Meters(np.zeros(lanes), np.zeros(lanes), np.zeros(lanes), np.zeros(lanes))
        self.twins = {name: Twin() for name in LANES[1:]}
        self._reported = (self.start_us, *self.meters.row())
        self._multipliers = np.zeros((lanes, self.settings.campaigns))
        self._readings: dict[int, dict[str, float]] = {}
        self.killed = False  # the account's own kill switch, which the exchange's console sets
        self._billed_before = [0] * lanes
        self._begin(0)
        self._resume()
        self._us = 0  # into the half hour

    @property
    def now_us(self) -> int:
        """Plant time [us]."""
        return self._tick_us + self._us

    def observe(self) -> Observation:
        """The signals of the account now."""
        return self.observation(0, in_force(self._standing, self.now_us))

    def observation(self, lane: int, applied: Setpoints | None) -> Observation:
        """The signals of one lane's account at the last half hour. An exchange reports a command only as standing or not."""
        if lane not in self._readings:
            self._readings[lane] = observe(self._state, self._params, lane) | self._account(lane)
        age_us = self._us + self._params.report_lag[self._state.tick] * TICK_US
        return Observation(
            plant=self.name,
            subject="",
            taken_at=self.now_us,
            signals={
                **{name: Signal(value, age_us=age_us) for name, value in self._readings[lane].items()},
                "kill_switch": Signal(float(self.killed)),
                "billing_age_s": Signal(age_us / 1e6),
            },
            applied=applied,
            readback=applied,
            authority=Authority.OURS,
        )

    def _account(self, lane: int) -> dict[str, float]:
        """What all campaigns together have spent and may spend, today and of the advertiser's credit [micros], whole.

        A day needs room for one more win. The credit needs room for all that is left of today: an exchange that bids for half
        an hour by itself stops at a campaign's budget, but knows nothing of an account's.
        """
        state, budget = self._state, int(self._params.budget_micros[lane].sum())
        spent, reserved = int(state.spent_micros[lane].sum()), int(state.reserved_micros[lane].sum())
        whole = {
            "day_spent_micros": spent,
            "day_reserved_micros": reserved,
            "day_limit_micros": budget,
            "day_max_charge_micros": int(self._params.bid_cap_micros[lane].max()),
            "account_spent_micros": self._billed_before[lane] + spent,
            "account_reserved_micros": reserved,
            "account_limit_micros": budget * self.settings.credit_days,
            "account_max_charge_micros": max(0, budget - spent - reserved),
        }
        return {name: float(value) for name, value in whole.items()}

    def apply(self, command: Command, *, decision: str) -> Receipt:
        """Take a command for the next half hour on, or refuse it: cut off, or of a lower epoch."""
        detail = ""
        try:
            if self._params.silent_ticks[self._state.tick]:
                raise ValueError("the exchange cannot be reached")
            self._standing = taken(self._standing, command, self.now_us)
        except ValueError as error:
            detail = str(error)
        seen = self.observe()
        return Receipt(decision, seen.applied, seen.readback, self.now_us, accepted=not detail, detail=detail)

    def command(self, lane: int, setpoints: Setpoints | None) -> None:
        """Command a twin; None makes it bid nothing."""
        self._multipliers[lane] = self._row(setpoints)

    def advance(self, until_us: int) -> None:
        """Live on until plant time `until_us`. Each half hour is bid with what is in force as it begins."""
        while self.now_us < until_us:
            if self._us == 0:
                self._multipliers[0] = self._row(in_force(self._standing, self.now_us))
            self._us = min(TICK_US, until_us - self._tick_us)
            if self._us == TICK_US:
                self._half_hour()

    def outcome(self) -> Outcome:
        """Missed worth and cost beyond target since the last call. Worth on offer does not depend on any bid."""
        was, now = self._reported, (self._tick_us, *self.meters.row())
        self._reported = now
        missed, excess, breach_s, offered = (after - before for after, before in zip(now[1:], was[1:], strict=True))
        return Outcome(was[0], now[0], missed, {"excess_cost": excess}, {"offered": offered}, breach_s)

    def lanes(self) -> dict[str, dict[str, float]]:
        """Missed worth and score so far, by lane."""
        meters = self.meters
        rows = {
            "cost": meters.missed,
            "excess_cost": meters.excess,
            "breach_s": meters.breach_s,
            "score": meters.score,
        }
        return {what: dict(zip(LANES, row.tolist(), strict=True)) for what, row in rows.items()}

    def close(self) -> None:
        """Close the snapshot's file."""
        if self._store is not None:
            self._store.close()

    def _check(self, envelope: Envelope) -> None:
        if envelope.names != set(self.setpoints):
            wrong = ", ".join(sorted(envelope.names ^ set(self.setpoints)))
            raise SettingsError(f"envelope.toml and the plant disagree on these setpoints: {wrong}")
        if envelope.period_us % TICK_US:
            raise SettingsError(
                f"`period_s` is {envelope.period_us // 1_000_000}: bids hold for {TICK_S} s, give a multiple"
            )
        if self.start_us == 0 or self.start_us % DAY_US:
            raise SettingsError("`plant.start` must be a midnight in UTC: budgets are for a day")

    def _begin(self, flight: int) -> None:
        """Every campaign with its whole budget; the flight's ups and downs follow from its number and the run's seed."""
        settings, lanes = self.settings, len(LANES)
        world = resized(scenario(settings.scenario), settings.impressions_per_day)
        account = Noise(settings.scenario, (settings.account,) * lanes, (0,) * lanes)
        self._flight = flight
        params, self._noise = another_flight(world, account, settings.campaigns, f"{self.seed}/{flight}")
        self._params = replace(params, command_ticks=self._command_ticks)
        self._state = initial(self._params)
        self._readings.clear()

    @property
    def _tick_us(self) -> int:
        return self.start_us + (self._flight * self._params.ticks + self._state.tick) * TICK_US

    def _row(self, setpoints: Setpoints | None) -> list[float]:
        return [0.0 if setpoints is None else setpoints[name] for name in self.setpoints]

    def _half_hour(self) -> None:
        before, params = self._state, self._params
        self._state, _ = step(before, self._multipliers, params, self._noise)
        self._measure(before, self._state)
        self._us = 0
        self._readings.clear()
        if self._state.tick == params.ticks:
            # What was won and not yet billed is owed all the same.
            owed = (self._state.spent_micros + self._state.reserved_micros).sum(axis=1).tolist()
            self._billed_before = [before + int(more) for before, more in zip(self._billed_before, owed, strict=True)]
            self._begin(self._flight + 1)
        if self._store is not None:
            self._store.save(self._snapshot())

    def _measure(self, before: State, after: State) -> None:
        meters, params = self.meters, self._params
        value = (after.total[..., _VALUE] - before.total[..., _VALUE]) * 1e-12 * params.rendered_frac
        meters.offered += _currency(value * params.target_cpa_micros)
        for row, measure in ((meters.score, _score), (meters.excess, _excess)):
            row += _currency(measure(after, params) - measure(before, params))
        meters.breach_s += _outside(after, params, self.settings) * TICK_S

    def _snapshot(self) -> bytes:
        m = self.meters
        return msgspec.msgpack.encode(
            _Snapshot(
                SCHEMA,
                self.seed,
                self._flight,
                to_bytes(self._state),
                self._multipliers.tolist(),
                [row.tolist() for row in (m.offered, m.score, m.excess, m.breach_s)],
                self._reported,
                wire_standing(self._standing),
                {name: wire_twin(twin) for name, twin in self.twins.items()},
                self._billed_before,
            )
        )

    def _resume(self) -> None:
        saved = None if self._store is None else self._store.load()
        if saved is None:
            return
        try:
            s = msgspec.msgpack.decode(saved, type=_Snapshot)
            if s.schema != SCHEMA:
                raise StateError(
                    f"the saved account is of version {s.schema}, this program of {SCHEMA}: "
                    "start a new run in another state directory"
                )
            if s.seed != self.seed:
                raise StateError(
                    f"the saved account is of seed {s.seed}, this run of {self.seed}: name another state directory"
                )
            state = from_bytes(s.state)
        except (msgspec.MsgspecError, ValueError) as error:
            raise StateError(
                f"the saved account cannot be read ({error}): start a new run in another state directory"
            ) from error
        self._begin(s.flight)
        self._state, self._multipliers = state, np.array(s.multipliers)
        self.meters = Meters(*(np.array(row) for row in s.meters))
        self._reported, self._standing = s.reported, standing_of(s.standing)
        self._billed_before = s.billed_before
        self.twins = {name: twin_of(wire) for name, wire in s.twins.items()}


def _currency(micros: Floats) -> Floats:
    """[lanes, campaigns] micros as currency per lane."""
    return np.asarray(micros.sum(axis=1) / 1e6)


def _expected(state: State) -> Floats:
    """Conversions the shown wins are truly worth [lanes, campaigns]: chances, not luck."""
    return np.asarray(state.expected_pico * 1e-12)


def _score(state: State, params: Params) -> Floats:
    """Worth at target of the flight so far, by the competition's soft rule [micros]."""
    target = params.target_cpa_micros.astype(np.float64)
    return np.asarray(soft_score(_expected(state), state.incurred_micros.astype(np.float64), target) * target)


def _excess(state: State, params: Params) -> Floats:
    """Cost of the flight so far beyond what the target allows [micros]."""
    return np.asarray(np.maximum(state.incurred_micros - _expected(state) * params.target_cpa_micros, 0.0))


def _outside(state: State, params: Params, settings: BiddingSettings) -> NDArray[np.bool_]:
    """Lanes beyond a hard limit: a budget exceeded, or a conversion far too dear once much of the budget is gone."""
    over = state.spent_micros + state.reserved_micros > params.budget_micros
    allowed = _expected(state) * params.target_cpa_micros * settings.hard_cost_ratio
    dear = (state.incurred_micros > allowed) & (state.incurred_micros > settings.hard_from_frac * params.budget_micros)
    return np.asarray((over | dear).any(axis=1))
