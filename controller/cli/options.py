"""Options that many commands share. Every command waits for this module: nothing is imported here but the typer that it is for."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

SiteOption = Annotated[Path, typer.Option("--site", help="Folder of the site.")]
StateOption = Annotated[
    Path | None, typer.Option("--state", help="State directory; default .understudy/<site>.", show_default=False)
]
ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why, for the audit.")]
DEMO = Path("deploy/sites/demo")
STATES = Path(".understudy")


def operator() -> str:
    """The person at the terminal, by the system's account."""
    return getpass.getuser()
