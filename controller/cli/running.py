"""`understudy run`: the whole system, live in the terminal or headless with a report."""

import getpass
import json
import os
import signal
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from controller import bootstrap
from controller.api.access import create_login_url
from controller.cli.options import DEMO, SiteOption, StateOption
from controller.cli.plan import RunOptions, RunPlan, plan_run
from controller.cli.view import TerminalView
from controller.errors import SettingsError
from controller.processes.parent_watchdog import STORE_URL
from controller.processes.supervisor import Supervisor
from controller.protocol.status_reader import read_status
from controller.records.errors import StoreAway
from controller.records.spool_reader import SpoolReader
from migrations import upgrade


def run(
    site: SiteOption = DEMO,
    for_: Annotated[
        str, typer.Option("--for", help="Plant time to run, as 90m, 12h or 40d; default: until stopped.")
    ] = "",
    speed: Annotated[str, typer.Option(help="Plant seconds per wall second, or `max`; default: the site's.")] = "",
    seed: Annotated[int, typer.Option(help="Names the disturbances and the draw of the blocks.")] = 1,
    candidate: Annotated[str, typer.Option(help="Another bundle of the site, by name.")] = "",
    headless: Annotated[bool, typer.Option("--headless", help="No terminal view and no web process.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write what the run did to this JSON file.")] = None,
    state: StateOption = None,
) -> None:
    """Run a site: control, policy, shipping, and unless headless the operator's pages."""
    if report is not None and not report.parent.is_dir():
        raise SettingsError(f"`--report {report}`: there is no folder `{report.parent}`: make it, or name another")
    loaded = bootstrap.load(site, candidate)
    plan = plan_run(RunOptions(site, for_, speed, seed, candidate, headless, state), loaded)
    bootstrap.rehearse(loaded, seed)
    plan.prepare()
    migrate(plan.store_url)
    if not plan.headless:
        announce(plan)
    began_s = time.monotonic()
    code = _supervise(plan, loaded.site.start_us)
    if code == 0 and report is not None:
        _write_report(plan, report, time.monotonic() - began_s)
    raise typer.Exit(code)


def migrate(url: str) -> None:
    """Migrate the store. If it is not reachable, print why and return: control starts, and shipping waits for the store."""
    try:
        upgrade(url)
    except StoreAway as error:
        Console(stderr=True).print(f"understudy: {error}", highlight=False, soft_wrap=True)


def announce(plan: RunPlan) -> None:
    """Say where the console is; the link lets one person in, once."""
    base = f"http://{plan.web.host}:{plan.web.port}"
    url = create_login_url(plan.folder, base, lambda: time.time_ns() // 1000, actor=getpass.getuser())
    Console(stderr=True).print(f"console: {url}", highlight=False, soft_wrap=True)


def _supervise(plan: RunPlan, start_us: int) -> int:
    """Run until control has ended or a signal arrives (then 128 + its number); let the shipper finish."""
    supervisor = Supervisor(plan.children(), {**os.environ, STORE_URL: plan.store_url})
    signals: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))
    signal.signal(signal.SIGINT, lambda number, _: signals.append(number))
    spool = SpoolReader(plan.folder / "spool.sqlite")
    code: int | None = None
    supervisor.start()
    with TerminalView(start_us, plan.until_us, live=not plan.headless) as view:
        while code is None and not signals:
            time.sleep(0.1 if plan.headless else 0.2)
            if signals:  # Ctrl-C reaches the children too: the supervisor must not start them again
                break
            code = supervisor.poll()
            if spool.path.exists():
                view.show(read_status(spool, plan.folder))
    supervisor.stop()
    if signals:
        return 128 + signals[0]
    if code == 0:
        bootstrap.ship_the_rest(plan.folder, plan.store_url)
        plan.finished()
    return code or 0


def _write_report(plan: RunPlan, path: Path, wall_s: float) -> None:
    body = json.loads((plan.folder / "report.json").read_text())
    body["decisions"] = bootstrap.count_stored(plan.store_url)
    body["wall_s"] = round(wall_s, 3)
    body["ticks_per_s"] = round(body["ticks"] / wall_s, 1)
    path.write_text(json.dumps(body, indent=2) + "\n")
