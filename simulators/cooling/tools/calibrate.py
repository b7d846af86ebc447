"""System identification: the parameters that make the simulated plant follow a real plant's log.

The log is a CSV with a row for each five minutes: all signals of `signal_specs` and all setpoints of `setpoint_specs`
by name. The plant is run open loop over windows of an hour, each started from what was measured. Gauss-Newton steps with
a weak pull towards the defaults move the parameters; their slopes come from all the perturbed plants, run side by side
in one batch. Every fifth day is held out and only scored.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.physics.params import PARAMETERS, Params, default_params, with_values
from simulators.cooling.physics.plant import SUB_STEP_S, advance
from simulators.cooling.physics.psychrometrics import STANDARD_PRESSURE_PA, outdoor_air
from simulators.cooling.physics.state import LONG_AGO_S, Disturbance, State
from simulators.cooling.physics.water_loop import WATER_KJ_PER_KG_K
from simulators.cooling.world.scenario import SUB_STEPS
from simulators.cooling.world.signals import observe, setpoint_specs, signal_specs

Floats = NDArray[np.float64]
WINDOW_STEPS = 12
DAY_STEPS = 288
HELD_OUT_EVERY = 5
PRIOR_SD = 0.3
"""How far, in logarithms, a parameter is expected to lie from its default before the log is read."""
FITTED = (
    "fan_rated_kw", "it_design_delta_k", "fan_flow_ratio", "hot_spot_gain", "leak_frac", "air_kj_per_k",
    "rack_kw_per_k", "rack_kj_per_k", "coil_ntu", "supply_lag_s", "chw_supply_kj_per_k", "chw_return_kj_per_k",
    "chw_pump_rated_kw", "chiller_scale", "cw_unit_kw_per_k", "cw_pump_unit_kw", "tower_fan_rated_kw",
)  # fmt: skip
SCORED = ("inlet", "return", "supply", "chws_temp", "chwr_temp", "cws_temp", "cwr_temp", "chw_flow", "fan_power",
          "pump_power", "chiller_power", "tower_power")  # fmt: skip


class LogError(ValueError):
    """A log that cannot be fitted to."""


@dataclass(frozen=True, slots=True)
class Log:
    """A plant's history at five-minute steps."""

    zones: int
    signals: Floats
    """`[rows, m]` in the order of `signal_specs`."""
    setpoints: Floats
    """`[rows, zones + 4]`; the command in force up to the time of the row."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What calibration found."""

    values: dict[str, float]
    relative_sd: dict[str, float]
    rmse_before: dict[str, float]
    """On held-out days, in the signal's unit, with default parameters."""
    rmse_after: dict[str, float]
    r2_after: dict[str, float]

    def toml(self) -> str:
        """`params.toml`, as `randomise.from_params_toml` reads it."""
        lines = ["# Fitted by `understudy calibrate`; `relative_sd` is one standard deviation of the logarithm.", ""]
        for name, value in self.values.items():
            lines += [f"[parameter.{name}]", f"value = {value:.6g}", f'unit = "{PARAMETERS[name].unit}"',
                      f"relative_sd = {self.relative_sd[name]:.4g}", ""]  # fmt: skip
        return "\n".join(lines)

    def report(self) -> str:
        """Fit by signal on held-out days, and the parameters."""
        lines = [f"{'signal':<22}{'rmse default':>14}{'rmse fitted':>13}{'R2 fitted':>11}"]
        for name, before in self.rmse_before.items():
            lines.append(f"{name:<22}{before:>14.3f}{self.rmse_after[name]:>13.3f}{self.r2_after[name]:>11.3f}")
        lines += ["", f"{'parameter':<24}{'value':>12}{'+- %':>8}  unit"]
        for name, value in self.values.items():
            lines.append(f"{name:<24}{value:>12.5g}{100 * self.relative_sd[name]:>8.1f}  {PARAMETERS[name].unit}")
        return "\n".join(lines)


def read_log(path: Path, zones: int) -> Log:
    """The log in a CSV file.

    Raises:
        LogError: a column is missing, a value is not a number, or there are fewer than two days.
    """
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [s.name for s in signal_specs(zones)], [s.name for s in setpoint_specs(zones)]
    if rows and (missing := [name for name in (*names[0], *names[1]) if name not in rows[0]]):
        raise LogError(f"log `{path}` has no column `{missing[0]}` ({len(missing)} missing); give every signal by name")
    if len(rows) < 2 * DAY_STEPS:
        raise LogError(f"log `{path}` has {len(rows)} rows; at least {2 * DAY_STEPS} (two days) are needed")
    try:
        signals, setpoints = (np.array([[float(row[name]) for name in each] for row in rows]) for each in names)
    except ValueError as error:
        raise LogError(f"log `{path}` holds a value that is not a number: {error}") from error
    return Log(zones, signals, setpoints)


def calibrate(log: Log, names: tuple[str, ...] = FITTED, iterations: int = 8, windows: int = 48) -> Fit:
    """The parameters that follow the log best, their uncertainty, and how well they do on days they have not seen.

    The uncertainty is that of linear least squares with the residuals' own spread; errors along a window are
    correlated, so it is widened by the square root of the window's steps.
    """
    starts = _window_starts(log)
    held_out = (starts // DAY_STEPS) % HELD_OUT_EVERY == min(1, HELD_OUT_EVERY - 1)
    train, test = _thinned(starts[~held_out], windows), _thinned(starts[held_out], windows)
    spread = np.maximum(log.signals.std(axis=0), 1e-3)
    theta = np.zeros(len(names))
    for _ in range(iterations):
        residual, slopes = _linearised(log, train, names, theta, spread)
        step, _ = _normal_step(residual, slopes, theta)
        theta = np.clip(theta + step, -1.2, 1.2)
    residual, slopes = _linearised(log, train, names, theta, spread)
    _, covariance = _normal_step(residual, slopes, theta)
    sd = np.minimum(np.sqrt(np.diag(covariance) * WINDOW_STEPS), PRIOR_SD)
    before, after = (_scores(log, test, names, each) for each in (np.zeros(len(names)), theta))
    # Values are those of the four-zone reference plant, as in the parameter table.
    values = {name: float(PARAMETERS[name].default * np.exp(t)) for name, t in zip(names, theta, strict=True)}
    return Fit(values, dict(zip(names, map(float, sd), strict=True)), before[0], after[0], after[1])


def _window_starts(log: Log) -> NDArray[np.int64]:
    return np.arange(0, len(log.signals) - WINDOW_STEPS - 1, WINDOW_STEPS)


def _thinned(starts: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return starts[np.linspace(0, len(starts) - 1, min(count, len(starts))).astype(np.int64)]


def _plants(names: tuple[str, ...], thetas: Floats, zones: int) -> Params:
    """One plant for each row of `thetas` (logarithms of factors)."""
    base = default_params(zones)
    return with_values(base, **{n: base[n].ravel()[0] * np.exp(thetas[:, i]) for i, n in enumerate(names)})


def _linearised(
    log: Log, starts: NDArray[np.int64], names: tuple[str, ...], theta: Floats, spread: Floats
) -> tuple[Floats, Floats]:
    """Residuals in spreads of their signal `[r]`, and their slopes by finite differences `[r, parameters]`."""
    size = 0.02
    thetas = np.concatenate([theta[None, :], theta + size * np.eye(len(theta))])
    lanes = np.repeat(thetas, len(starts), axis=0)
    columns = _scored_columns(log.zones)
    predicted = _predict(log, np.tile(starts, len(thetas)), names, lanes)[:, :, columns]
    measured = _measured(log, starts)[:, :, columns]
    by_plant = predicted.reshape(WINDOW_STEPS, len(thetas), len(starts), -1)
    residual = (measured - by_plant[:, 0]) / spread[columns]
    slopes = (by_plant[:, 1:] - by_plant[:, :1]) / (size * spread[columns])
    flat: Floats = np.moveaxis(slopes, 1, -1).reshape(-1, len(theta))
    return np.asarray(residual.ravel(), dtype=np.float64), flat


def _normal_step(residual: Floats, slopes: Floats, theta: Floats) -> tuple[Floats, Floats]:
    """A Gauss-Newton step with a pull towards the defaults, and the covariance. Outliers weigh less (Huber)."""
    weight = np.minimum(1.0, 1.0 / np.maximum(np.abs(residual), 1e-9))
    noise = max(float(np.mean(weight * residual**2)), 1e-8)
    precision = (slopes * weight[:, None]).T @ slopes / noise + np.eye(len(theta)) / PRIOR_SD**2
    gradient = (slopes * weight[:, None]).T @ residual / noise - theta / PRIOR_SD**2
    covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
    return np.clip(np.linalg.solve(precision, gradient), -0.3, 0.3), covariance


def _scores(
    log: Log, starts: NDArray[np.int64], names: tuple[str, ...], theta: Floats
) -> tuple[dict[str, float], dict[str, float]]:
    """RMSE and R2 of each kind of signal over windows."""
    predicted = _predict(log, starts, names, np.tile(theta, (len(starts), 1)))
    measured = _measured(log, starts)
    specs, rmse, r2 = signal_specs(log.zones), {}, {}
    for kind in SCORED:
        columns = [i for i, spec in enumerate(specs) if spec.name.startswith(kind)]
        error = (measured - predicted)[:, :, columns]
        rmse[kind] = float(np.sqrt(np.mean(error**2)))
        r2[kind] = float(1.0 - np.mean(error**2) / max(measured[:, :, columns].var(), 1e-12))
    return rmse, r2


def _scored_columns(zones: int) -> list[int]:
    return [i for i, spec in enumerate(signal_specs(zones)) if spec.name.startswith(SCORED)]


def _measured(log: Log, starts: NDArray[np.int64]) -> Floats:
    return np.stack([log.signals[starts + 1 + step] for step in range(WINDOW_STEPS)])


def _predict(log: Log, starts: NDArray[np.int64], names: tuple[str, ...], thetas: Floats) -> Floats:
    """Signals `[WINDOW_STEPS, windows, m]` run open loop from what was measured at `starts`, one plant a window."""
    params = _plants(names, thetas, log.zones)
    read = _Columns(log)
    state = _measured_state(read, starts, params)
    rows = []
    for step in range(WINDOW_STEPS):
        row = _disturbance(read, starts + step, float(params["chiller_units"][0]))
        state, outputs = advance(state, log.setpoints[starts + step + 1], row, params)
        rows.append(observe(outputs.at(-1), row.at(-1), params))
    return np.stack(rows)


class _Columns:
    """Signals of a log by name: `[rows]`, or `[rows, zones]` for a pattern."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._at = {spec.name: i for i, spec in enumerate(signal_specs(log.zones))}

    def __call__(self, name: str, rows: NDArray[np.int64]) -> Floats:
        return np.asarray(self._log.signals[rows, self._at[name]])

    def zones(self, pattern: str, rows: NDArray[np.int64]) -> Floats:
        first = self._at[pattern.format(1)]
        return self._log.signals[rows][:, first : first + self._log.zones]


def _measured_state(read: _Columns, rows: NDArray[np.int64], params: Params) -> State:
    """The state as far as it is measured; rack metal is taken to be at rest with the air around it."""
    it_kw, hot = read.zones("it_z{}_kw", rows), read.zones("return_z{}_c", rows)
    dew = read("room_dew_point_c", rows)
    flow_kw_per_k = WATER_KJ_PER_KG_K * read("chw_flow_kg_s", rows)
    load = flow_kw_per_k * (read("chwr_temp_c", rows) - read("chws_temp_c", rows))
    records = State.records(
        (len(rows),),
        params.zones,
        fan_frac=read.zones("fan_z{}_actual_frac", rows),
        supply_c=read.zones("supply_z{}_c", rows),
        hot_c=hot,
        rack_c=read.zones("inlet_z{}_c", rows) - 0.5 + it_kw / params["rack_kw_per_k"],
        chws_c=read("chws_temp_c", rows),
        chwr_c=read("chwr_temp_c", rows),
        cws_c=read("cws_temp_c", rows),
        chillers=read("chillers_running", rows),
        chillers_on=np.ceil(read("chillers_running", rows)),
        since_start_s=LONG_AGO_S,  # the log's own plant has kept its timers
        since_stop_s=LONG_AGO_S,
        room_kg_kg=outdoor_air(dew, dew, STANDARD_PRESSURE_PA)[1],
    )
    return State(*records, np.repeat(load[:, None], params.transit_slots(SUB_STEP_S), axis=1))


def _disturbance(read: _Columns, rows: NDArray[np.int64], units: float) -> Disturbance:
    """Weather and load between two rows of the log, linear in time, for the sub-steps between them."""
    middles = (np.arange(SUB_STEPS) + 0.5) / SUB_STEPS

    def between(first: Floats, second: Floats) -> Floats:
        return np.asarray(first + np.multiply.outer(middles, second - first))

    it_kw = between(read.zones("it_z{}_kw", rows), read.zones("it_z{}_kw", rows + 1))
    dry, wet, dew = (
        between(read(f"outdoor_{name}_c", rows), read(f"outdoor_{name}_c", rows + 1))
        for name in ("dry_bulb", "wet_bulb", "dew_point")
    )
    records = Disturbance.records(
        dry.shape,
        it_kw.shape[-1],
        it_kw=it_kw,
        dry_bulb_c=dry,
        wet_bulb_c=wet,
        dew_point_c=dew,
        outdoor_kg_kg=outdoor_air(dry, dew, STANDARD_PRESSURE_PA)[1],
        fan_available=1.0,
        coil_available=1.0,
        chillers_available=units,
        tower_available=1.0,
    )
    return Disturbance(*records)
