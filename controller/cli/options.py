"""Options that many commands share, and where a running site keeps its state."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

from controller.errors import StateError
from controller.settings import Site, load_site
from controller.store.spool_reader import SpoolReader

SiteOption = Annotated[Path, typer.Option("--site", help="Folder of the site.")]
StateOption = Annotated[
    Path | None, typer.Option("--state", help="State directory; default .understudy/<site>.", show_default=False)
]
ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why, for the audit.")]
DEMO = Path("deploy/sites/demo")


def state_dir(site: Site, state: Path | None) -> Path:
    """Where a site's run keeps its state."""
    return state if state is not None else Path(".understudy") / site.settings.name


def running_state(site_folder: Path, state: Path | None) -> tuple[Site, Path]:
    """The site and its state directory, which must exist."""
    site = load_site(site_folder)
    folder = state_dir(site, state)
    if not (folder / "spool.sqlite").exists():
        raise StateError(f"`{folder}` holds no run of site `{site.settings.name}`: start one, or name it with --state")
    return site, folder


def spool_of(folder: Path) -> SpoolReader:
    """The spool of a state directory, to read."""
    return SpoolReader(folder / "spool.sqlite")


def operator() -> str:
    """The person at the terminal, by the system's account."""
    return getpass.getuser()
