"""`understudy breaker list | trip | reset`."""

import typer
from rich.console import Console
from rich.table import Table

from controller.cli.acts import submit
from controller.cli.options import DEMO, ReasonOption, SiteOption, StateOption
from controller.cli.places import running_state
from controller.cli.rollouts import TRIPPED, spool_of, status_of

app = typer.Typer(no_args_is_help=True, help="Look at the breakers, trip one by hand, reset a latch.")
console = Console()


@app.command("list")
def list_(site: SiteOption = DEMO, state: StateOption = None) -> None:
    """Every breaker with its reading, and what is latched. Exit code 4 if anything is."""
    _, folder = running_state(site, state)
    seen = status_of(spool_of(folder), folder)
    table = Table("cause", "state", "reading", box=None, header_style="grey62", pad_edge=False)
    for reading in seen.breaker.readings:
        table.add_row(reading.cause + (" (critical)" if reading.critical else ""), reading.state, reading.reason)
    console.print(table)
    for trip in seen.trips:
        console.print(f"[bold yellow]latched[/] {trip.id}: {trip.cause}: {trip.first_out}")
    raise typer.Exit(TRIPPED if seen.trips else 0)


@app.command()
def trip(reason: ReasonOption, site: SiteOption = DEMO, state: StateOption = None) -> None:
    """Open the latch by hand: the incumbent runs the plant until an approver resets it."""
    found, folder = running_state(site, state)
    console.print(submit(folder, found.settings.plant.name, "trip", {"reason": reason}))


@app.command()
def reset(trip_id: str, reason: ReasonOption, site: SiteOption = DEMO, state: StateOption = None) -> None:
    """Close the latch of one trip, by its id. A critical one needs two different people."""
    found, folder = running_state(site, state)
    console.print(submit(folder, found.settings.plant.name, "reset", {"trip_id": trip_id, "reason": reason}))
