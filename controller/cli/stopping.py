"""`understudy stop`, which must not wait for anything, nor depend on anything that may be broken."""

import contextlib
import os
import re
import tomllib
from pathlib import Path

import typer

from controller.cli.options import DEMO, STATES, ReasonOption, SiteOption, StateOption, operator
from controller.records.stop_latch import write_stop


def stop(reason: ReasonOption = "operator's STOP", site: SiteOption = DEMO, state: StateOption = None) -> None:
    """Take all authority from the candidate, at once. Works with the web process and every database gone; never stops the plant."""
    folder = state if state is not None else STATES / _name(site)
    folder.mkdir(parents=True, exist_ok=True)
    write_stop(folder, operator(), reason)
    clears = '`understudy start --reason "..."` clears it'
    typer.echo(f"STOP is set in {os.path.relpath(folder)}: the incumbent is in control. {clears}.")


def _name(site: Path) -> str:
    """The site's name, read alone: whatever else of its files has been broken since it was started does not matter.

    Where not even the name can be read it is taken to be the folder's.
    """
    with contextlib.suppress(OSError, ValueError, RecursionError):
        name = tomllib.loads((site / "site.toml").read_text(encoding="utf-8")).get("name")
        if isinstance(name, str) and re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
            return name
    return site.resolve().name
