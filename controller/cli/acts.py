"""`understudy override | start`, and how every act but STOP reaches the control process: as an intent in the operator queue."""

import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from controller.cli.options import DEMO, ReasonOption, SiteOption, StateOption, operator
from controller.cli.places import running_state
from controller.errors import IntentRefusedError, SettingsError
from controller.records.operator_queue import Intent, Kind, OperatorQueue

WAIT_S = 10.0
console = Console()


def submit(folder: Path, plant: str, kind: Kind, payload: Mapping[str, Any], wait_s: float = WAIT_S) -> str:
    """Submit an intent and wait for its outcome. Raises IntentRefusedError if it was refused."""
    queue = OperatorQueue(folder / "intents.sqlite")
    key = str(uuid.uuid4())
    intent = queue.submit(
        Intent(key, key, plant, kind, dict(payload), operator(), "approver", None, time.time_ns() // 1000)
    )
    until_s = time.monotonic() + wait_s
    while time.monotonic() < until_s:
        state = queue.get(intent.id)
        if state is not None and state.outcome == "applied":
            return state.detail
        if state is not None and state.outcome != "pending":
            raise IntentRefusedError(state.detail)
        time.sleep(0.02)
    return "pending: the control process carries it out when it runs"


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
        raise SettingsError("an override needs --reason: say why, for the audit")
    scope = "standing" if for_s else "next"
    payload: dict[str, Any] = {"scope": scope, "for_s": for_s, "reason": reason}
    payload |= {"reject": True} if reject else {"setpoints": dict(_pair(text) for text in values or [])}
    console.print(submit(folder, plant, "override", payload))


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
