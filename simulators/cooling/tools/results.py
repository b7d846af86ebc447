"""Every incumbent on every test scenario, over seeds, with confidence intervals.

`python -m simulators.cooling.tools.results docs/reference/results` writes the page `cooling-results.md` and its plots.
"""

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.controllers.incumbents import TrimConfig, naive_setpoints, trim_and_respond, trim_start
from simulators.cooling.controllers.pid import PidConfig, pid_cascade, pid_start
from simulators.cooling.episode import Episodes
from simulators.cooling.simulation import start_setpoints
from simulators.cooling.tools.kpis import Tally
from simulators.cooling.tools.static_search import Windows, best_static
from simulators.cooling.world.scenario import SPLITS, WEEK_NODES, Scenario, scenario

Floats = NDArray[np.float64]
Controller = Callable[[Floats], Floats]
TESTS = ("greensboro-test", "miami-test", "sand-point-test")
T_95 = {10: 2.262, 5: 2.776, 3: 4.303}
"""Two-sided 95 % points of Student's t for n - 1 degrees of freedom."""


def controllers(world: Scenario, lanes: int, static: Floats) -> dict[str, Controller]:
    """The incumbents, each with its own memory of so many lanes."""
    return {
        "naive fixed": _constant(naive_setpoints(world.zones), lanes),
        "best static": _constant(static, lanes),
        "PID cascade": _pid(world, lanes),
        "trim and respond": _trim(world, lanes),
    }


def _constant(setpoints: Floats, lanes: int) -> Controller:
    command = np.tile(setpoints, (lanes, 1))
    return lambda signals: command


def _trim(world: Scenario, lanes: int) -> Controller:
    config = TrimConfig(zones=world.zones)
    memory = trim_start(start_setpoints(world.zones, lanes), config)

    def control(signals: Floats) -> Floats:
        nonlocal memory
        command, memory = trim_and_respond(signals, memory, config)
        return command

    return control


def _pid(world: Scenario, lanes: int) -> Controller:
    config = PidConfig(TrimConfig(zones=world.zones))
    memory = pid_start(trim_start(start_setpoints(world.zones, lanes), config.trim))

    def control(signals: Floats) -> Floats:
        nonlocal memory
        command, memory = pid_cascade(signals, memory, config)
        return command

    return control


def run(world: Scenario, control: Controller, seeds: int, days: int) -> dict[str, Floats]:
    """Figures of one controller in every week of the split, `[seeds, weeks]`: each a lane with a load of its own."""
    weeks = np.tile(_weeks(world), seeds)
    episodes, tally = Episodes(world, 0, len(weeks), days * 288), Tally(world.zones)
    measured = episodes.reset(0, start=weeks * WEEK_NODES)
    while not episodes.done:
        measured = episodes.step(control(measured.signals))
        tally.add(measured)
    return {name: values.reshape(seeds, -1) for name, values in tally.table().items()}


def _weeks(world: Scenario) -> NDArray[np.int64]:
    return np.array([week for week in range(52) if week % 5 in SPLITS[world.split]])


def interval(values: Floats) -> tuple[float, float]:
    """Mean over seeds and half width of its 95 % interval (Student's t)."""
    n = len(values)
    return float(values.mean()), float(T_95.get(n, 1.96) * values.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan


COLUMNS = {
    "pue": ("PUE", 4),
    "cooling_kwh_per_day": ("cooling kWh/day", 0),
    "water_l_per_it_kwh": ("water l/kWh", 3),
    "inlet_max_c": ("worst inlet C", 2),
    "kelvin_minutes_above_27": ("K min/day > 27", 2),
    "kelvin_minutes_above_32": ("> 32", 2),
    "rate_k_per_15_min": ("worst K/15 min", 2),
    "travel_per_day": ("strokes/day", 2),
    "starts_per_day": ("starts/day", 2),
}
WORST = {"inlet_max_c", "rate_k_per_15_min"}


def page(seeds: int, days: int, rounds: int, names: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """The page as Markdown and its plots as SVG by file name."""
    sections, plots = [_HEAD.format(seeds=seeds, days=days, rounds=rounds)], {}
    for name in names:
        world = scenario(name)
        static = best_static(Windows(scenario("greensboro-year", site=world.site), 1234, 26, 2.0), rounds)
        found = {label: _over_seeds(world, label, static, seeds, days) for label in controllers(world, 1, static)}
        sections.append(_section(name, world, static, found))
        bars = {label: interval(table["cooling_kwh_per_day"]) for label, table in found.items()}
        plots[f"cooling-{name}.svg"] = bar_chart(f"{name}: cooling energy, kWh a day", bars)
    return "\n\n".join([*sections, _slopes(days)]) + "\n", plots


def _over_seeds(world: Scenario, label: str, static: Floats, seeds: int, days: int) -> dict[str, Floats]:
    """Figures of one controller by seed `[seeds]`: means over the weeks, or the worst of them."""
    control = controllers(world, seeds * len(_weeks(world)), static)[label]
    table = run(world, control, seeds, days)
    return {key: table[key].max(axis=1) if key in WORST else table[key].mean(axis=1) for key in COLUMNS}


def _section(name: str, world: Scenario, static: Floats, found: dict[str, dict[str, Floats]]) -> str:
    head = "| | " + " | ".join(label for label, _ in COLUMNS.values()) + " |"
    rows = [head, "|---|" + "---|" * len(COLUMNS)]
    for label, table in found.items():
        cells = []
        for key, (_, digits) in COLUMNS.items():
            mean, half = interval(table[key])
            cells.append(f"{table[key].max():.{digits}f}" if key in WORST else f"{mean:.{digits}f} ± {half:.{digits}f}")
        rows.append(f"| {label} | " + " | ".join(cells) + " |")
    setting = ", ".join(f"{value:.2f}" for value in static)
    return (
        f"## {name}\n\nSite {world.site}.\n\n"
        + "\n".join(rows)
        + (
            f"\n\nBest static setpoints (supply air, fans, chilled water, tower, chillers): {setting}.\n\n"
            f"![cooling energy](cooling-{name}.svg)"
        )
    )


def _slopes(days: int) -> str:
    """The table of results by how much more power servers take when they are warm."""
    rows = ["| IT power per kelvin above 25 C | IT kWh/day | cooling kWh/day | PUE |", "|---|---|---|---|"]
    world, warm = scenario("greensboro-test"), np.array([25.0, 0.6, 0.6, 0.6, 0.6, 12.0, 18.0, 2.0])
    for slope in (0.0, 0.0025, 0.005, 0.01):
        plant = replace(world, changes=(("it_power_slope_frac_per_k", slope),))
        table = run(plant, _constant(warm, len(_weeks(plant))), 1, days)
        it = float((table["total_kwh_per_day"] - table["cooling_kwh_per_day"]).mean())
        cooling, pue = table["cooling_kwh_per_day"].mean(), table["pue"].mean()
        rows.append(f"| {100 * slope:.2f} % | {it:.0f} | {cooling:.0f} | {pue:.4f} |")
    text = "Under a warm fixed command (25 C supply air). PUE hides it; the bill does not.\n\n"
    return "## Sensitivity: servers that draw more when warm\n\n" + text + "\n".join(rows)


def bar_chart(title: str, bars: dict[str, tuple[float, float]]) -> str:
    """A horizontal bar chart with whiskers as SVG."""
    top, scale = 40, 420.0 / max(mean for mean, _ in bars.values())
    lines = [f'<text x="10" y="24" font-size="15">{title}</text>']
    for i, (label, (mean, half)) in enumerate(bars.items()):
        y, x, w = top + 34 * i, 150 + mean * scale, (0.0 if math.isnan(half) else half) * scale
        lines += [
            f'<text x="10" y="{y + 16}" font-size="13">{label}</text>',
            f'<rect x="150" y="{y}" width="{mean * scale:.1f}" height="22" fill="#4878a8"/>',
            f'<path d="M{x - w:.1f} {y + 11}H{x + w:.1f}" stroke="#222" stroke-width="2"/>',
            f'<text x="{x + w + 6:.1f}" y="{y + 16}" font-size="13">{mean:.0f}</text>',
        ]
    height = top + 34 * len(bars) + 6
    style = 'font-family="sans-serif" fill="#222"'
    body = "\n".join(lines)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 {height}" {style}>\n{body}\n</svg>\n'


_HEAD = """\
# Results: cooling incumbents

Made by `python -m simulators.cooling.tools.results docs/reference/results --seeds {seeds} --days {days} --rounds {rounds}`;
do not edit.

Every week of a scenario's split is run for its first {days} days, once for each of {seeds} seeds of the load. Figures are
means over weeks, ± the half width of the 95 % interval of the mean over seeds; the weather is the same in all, so it says
nothing about other years. "Worst" columns are the worst of everything seen. "Starts" are of all chillers together. PUE is
(IT + cooling) / IT: losses in power supply and lighting are outside this plant. Best static is searched on other load
seeds of the whole year at that site."""


def main(arguments: list[str]) -> None:
    """Write the page and its plots."""
    parser = argparse.ArgumentParser(prog="python -m simulators.cooling.tools.results", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scenarios", nargs="+", default=list(TESTS))
    chosen = parser.parse_args(arguments)
    text, plots = page(chosen.seeds, chosen.days, chosen.rounds, tuple(chosen.scenarios))
    (chosen.folder / "cooling-results.md").write_text(text)
    for name, svg in plots.items():
        (chosen.folder / name).write_text(svg)


if __name__ == "__main__":
    main(sys.argv[1:])
