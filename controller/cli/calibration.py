"""`understudy calibrate`: fit the simulated plant to a plant's own history."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from simulators.cooling.tools.calibrate import calibrate as fit
from simulators.cooling.tools.calibrate import read_log

console = Console(highlight=False)


def calibrate(
    log: Annotated[
        Path, typer.Argument(help="CSV of the plant's own history; docs/how-to/calibrate-cooling.md says how.")
    ],
    zones: Annotated[int, typer.Option(help="Zones of the plant.")] = 4,
    out: Annotated[Path, typer.Option(help="Where to write the parameters.")] = Path("params.toml"),
) -> None:
    """Fit the cooling plant's parameters to a log, and say how well they fit on days that were held out."""
    found = fit(read_log(log, zones))
    out.write_text(found.toml())
    console.print(found.report())
    console.print(f"written to {out}")
