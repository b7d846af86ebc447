"""Where a running site keeps its state."""

from pathlib import Path

from controller.cli.options import STATES
from controller.errors import StateError
from controller.settings import Site, load_site


def state_dir(site: Site, state: Path | None) -> Path:
    """Return the state directory of a site's run: `state`, or the site's own."""
    return state if state is not None else STATES / site.settings.name


def running_state(site_folder: Path, state: Path | None) -> tuple[Site, Path]:
    """The site and its state directory, which must exist."""
    site = load_site(site_folder)
    folder = state_dir(site, state)
    if not (folder / "spool.sqlite").exists():
        raise StateError(f"`{folder}` holds no run of site `{site.settings.name}`: start one, or name it with --state")
    return site, folder
