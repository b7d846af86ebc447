"""`understudy override | stop | start`, and how every other act reaches the control process: as an intent."""

import contextlib
import os
import socket
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from controller.cli.options import DEMO, ReasonOption, SiteOption, StateOption, operator, running_state, state_dir
from controller.errors import IntentRefusedError, SettingsError
from controller.settings import load_site
from controller.store.intents import Intent, IntentBook, Kind
from controller.store.stop import write_stop

WAIT_S = 10.0
console = Console()


def submit(folder: Path, plant: str, kind: Kind, payload: Mapping[str, Any], wait_s: float = WAIT_S) -> str:
    """Hand an act to the control process and wait for what becomes of it. Raises IntentRefusedError if it was refused."""
    book = IntentBook(folder / "intents.sqlite")
    key = str(uuid.uuid4())
    intent = book.submit(
        Intent(key, key, plant, kind, dict(payload), operator(), "approver", None, time.time_ns() // 1000)
    )
    poke(folder)
    until_s = time.monotonic() + wait_s
    while time.monotonic() < until_s:
        became = book.get(intent.id)
        if became is not None and became.outcome == "applied":
            return became.detail
        if became is not None and became.outcome != "pending":
            raise IntentRefusedError(became.detail)
        time.sleep(0.02)
    return "not taken up yet: the control process will do so when it runs"


def poke(folder: Path) -> None:
    """Ask the control process to look at the intents now. If it does not listen it finds them by itself."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as link:
        link.settimeout(0.2)
        link.connect(str(folder / "control.sock"))


def override(
    values: Annotated[
        list[str] | None, typer.Argument(help="Setpoints as name=value; the incumbent completes them.")
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Refuse the candidate instead of giving values.")] = False,
    for_s: Annotated[
        float, typer.Option("--for-s", help="Keep it for so many seconds of plant time; default: next tick only.")
    ] = 0.0,
    clear: Annotated[bool, typer.Option("--clear", help="End a standing override.")] = False,
    reason: ReasonOption = "",
    site: SiteOption = DEMO,
    state: StateOption = None,
) -> None:
    """Give your own command, or refuse the candidate, on the next tick or for a stated time. The envelope still judges it."""
    found, folder = running_state(site, state)
    plant = found.settings.plant.name
    if clear:
        console.print(submit(folder, plant, "override_clear", {"reason": reason}))
        return
    if not reason:
        raise SettingsError("an override needs --reason: the audit will be read by somebody else")
    scope = "standing" if for_s else "next"
    payload: dict[str, Any] = {"scope": scope, "for_s": for_s, "reason": reason}
    payload |= {"reject": True} if reject else {"setpoints": dict(_pair(text) for text in values or [])}
    console.print(submit(folder, plant, "override", payload))


def stop(reason: ReasonOption = "operator's STOP", site: SiteOption = DEMO, state: StateOption = None) -> None:
    """Take all authority from the candidate, at once. Works with the web process and every database gone; never stops the plant."""
    folder = state if state is not None else _where(site)
    folder.mkdir(parents=True, exist_ok=True)
    write_stop(folder, operator(), reason)
    poke(folder)
    console.print(
        f"STOP is set in {os.path.relpath(folder)}: the incumbent has the plant. `understudy start` clears it."
    )


def _where(site: Path) -> Path:
    """The state directory, even if the site's files have been broken meanwhile: STOP must not depend on them."""
    try:
        return state_dir(load_site(site), None)
    except SettingsError:
        return Path(".understudy") / site.resolve().name


def start(reason: ReasonOption, site: SiteOption = DEMO, state: StateOption = None) -> None:
    """Clear STOP: the candidate has again what its rollout gives it."""
    found, folder = running_state(site, state)
    console.print(submit(folder, found.settings.plant.name, "start", {"reason": reason}))


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError as error:
        raise SettingsError(f"`{text}` is not name=value, as chws_c=8.5") from error
