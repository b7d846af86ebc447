"""The reference page of the cooling plant, written by `python -m simulators.cooling.tools.reference_page docs/reference`."""

import sys
from pathlib import Path

from simulators.cooling.physics.curves import CHILLERS
from simulators.cooling.physics.params import PARAMETERS
from simulators.cooling.world.faults import PLANT_KINDS, SENSOR_KINDS
from simulators.cooling.world.scenario import SCENARIOS, SPLITS
from simulators.cooling.world.signals import setpoint_specs, signal_specs

_HEAD = """\
# Cooling plant: signals, setpoints, parameters

Written by `python -m simulators.cooling.tools.reference_page docs/reference`; do not edit. `{i}` counts zones from 1.
"""


def page() -> str:
    """The page as Markdown."""
    return (
        "\n".join([_HEAD, *_setpoints(), *_signals(), *_parameters(), *_chillers(), *_scenarios(), *_faults()]) + "\n"
    )


def _zoned(name: str) -> str:
    return name.replace("_z1_", "_z{i}_")


def _setpoints() -> list[str]:
    rows = ["## Setpoints", "", "| name | unit | from | to | values |", "|---|---|---|---|---|"]
    for s in setpoint_specs(1):
        values = "" if s.values is None else ", ".join(f"{v:g}" for v in s.values)
        rows.append(f"| `{_zoned(s.name)}` | {s.unit} | {s.low:g} | {s.high:g} | {values} |")
    return [*rows, ""]


def _signals() -> list[str]:
    rows = ["## Signals", "", "Ranges are those of the four-zone plant and scale observations.", ""]
    rows += ["| name | unit | usual range | meaning |", "|---|---|---|---|"]
    four = {spec.name: spec for spec in signal_specs(4)}
    for s in signal_specs(1):
        low, high = four[s.name].low, four[s.name].high
        meaning = s.description.replace("zone 1", "zone {i}")
        rows.append(f"| `{_zoned(s.name)}` | {s.unit} | {low:g} .. {high:g} | {meaning} |")
    return [*rows, ""]


def _parameters() -> list[str]:
    rows = ["## Parameters", "", "`spread` is the range of factors domain randomisation draws from.", ""]
    rows += ["| name | default | unit | spread | source |", "|---|---|---|---|---|"]
    for name, d in PARAMETERS.items():
        spread = f"{d.low:g} .. {d.high:g}" if d.low < d.high else ""
        note = "; grows with the number of zones" if d.per_zones else ""
        rows.append(f"| `{name}` | {d.default:g} | {d.unit} | {spread} | {d.source}{note} |")
    return [*rows, ""]


def _chillers() -> list[str]:
    rows = ["## Chillers", "", "| set | machine | leaving water C | entering condenser water C |", "|---|---|---|---|"]
    for letter, c in CHILLERS.items():
        leaving = " .. ".join(f"{v:g}" for v in c.leaving_range_c)
        rows.append(f"| {letter} | {c.name} | {leaving} | {' .. '.join(f'{v:g}' for v in c.entering_range_c)} |")
    return [*rows, ""]


def _scenarios() -> list[str]:
    rows = ["## Scenarios", "", "| name | site | weeks of the year, modulo five |", "|---|---|---|"]
    rows += [f"| `{s.name}` | {s.site} | {', '.join(map(str, SPLITS[s.split]))} |" for s in SCENARIOS.values()]
    return [*rows, ""]


def _faults() -> list[str]:
    kinds = [("of the plant", PLANT_KINDS), ("of a sensor", SENSOR_KINDS), ("of the network", ("network_gap",))]
    return ["## Faults", "", *(f"* {whose}: {', '.join(f'`{kind}`' for kind in names)}" for whose, names in kinds)]


if __name__ == "__main__":
    (Path(sys.argv[1]) / "cooling.md").write_text(page())
