"""`understudy run`: the whole system, live in the terminal or headless with a report."""

import getpass
import json
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from controller import bootstrap
from controller.api.access import create_login_url
from controller.cli.options import DEMO, SiteOption, StateOption, state_dir
from controller.cli.view import View
from controller.errors import SettingsError, StateError
from controller.lifeline import STORE_URL
from controller.settings import WebSettings
from controller.store.spool_reader import SpoolReader
from controller.supervisor import Child, Supervisor
from migrations import upgrade

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
RUN_FILE = "run.json"


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
    loaded = bootstrap.load(site, candidate)
    plan = _Plan.of(loaded, site, for_, speed, seed, candidate, headless, state)
    plan.prepare()
    upgrade(plan.store_url)
    plan.announce()
    began_s = time.monotonic()
    code = _supervise(plan, loaded)
    if code == 0 and report is not None:
        _write_report(plan, report, time.monotonic() - began_s)
    raise typer.Exit(code)


class _Plan:
    """What one run is, from its options. A run that was cut short goes on where it was; a finished one begins anew."""

    def __init__(
        self,
        site: Path,
        folder: Path,
        identity: dict[str, Any],
        speed: float | None,
        headless: bool,
        store_url: str,
        web: WebSettings,
    ) -> None:
        self.web = web
        self.site, self.folder, self.identity = site, folder, identity
        self.speed, self.headless, self.store_url = speed, headless, store_url

    @classmethod
    def of(
        cls,
        loaded: bootstrap.Loaded,
        site: Path,
        for_: str,
        speed: str,
        seed: int,
        candidate: str,
        headless: bool,
        state: Path | None,
    ) -> "_Plan":
        settings = loaded.site.settings
        for_s = _seconds(for_) if for_ else None
        until_us = None if for_s is None else loaded.site.start_us + for_s * 1_000_000
        if speed == "max" or (not speed and headless):
            plant_speed = None
        else:
            plant_speed = _speed(speed) if speed else settings.demo_speed
        if plant_speed is None and not settings.plant.simulated:
            raise SettingsError("`--speed max` is for simulated plants: a real one has its own time")
        name = f"runs/{settings.name}-{candidate or 'candidate'}-seed{seed}-{for_}" if for_ else settings.name
        folder = state if state is not None else state_dir(loaded.site, None).parent / name
        identity = {"site": loaded.site.digest, "candidate": candidate, "seed": seed, "until_us": until_us}
        url = bootstrap.store_url(settings.store.url, folder)
        return cls(site, folder, identity, plant_speed, headless, url, settings.web)

    def prepare(self) -> None:
        """Make the state directory ready: resume, begin anew, or refuse one that belongs to something else."""
        path = self.folder / RUN_FILE
        if path.exists():
            was = json.loads(path.read_text())
            done = was.pop("done", False)
            if done and self.identity["until_us"] is not None and was == self.identity:
                shutil.rmtree(self.folder)
            elif was["site"] != self.identity["site"] or was["seed"] != self.identity["seed"]:
                raise StateError(
                    f"`{self.folder}` holds a run of other settings (site files, or seed {was['seed']}): "
                    "remove it, or name another with --state"
                )
        self.folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.identity))

    def finished(self) -> None:
        (self.folder / RUN_FILE).write_text(json.dumps(self.identity | {"done": True}))

    def children(self) -> list[Child]:
        """What the supervisor is to keep running."""
        python = sys.executable
        control = [
            python,
            "-m",
            "controller.control",
            str(self.site),
            str(self.folder),
            "--seed",
            str(self.identity["seed"]),
        ]
        if self.identity["until_us"] is not None:
            control += ["--until-us", str(self.identity["until_us"])]
        if self.speed is not None:
            control += ["--speed", str(self.speed)]
        if self.identity["candidate"]:
            control += ["--candidate", self.identity["candidate"]]
        shipper = [python, "-m", "controller.store", str(self.folder / "spool.sqlite")]
        children = [Child("control", control, essential=True), Child("shipper", shipper)]
        if not self.headless:
            control += ["--metrics-port", str(self.web.metrics_port)]
            children.append(Child("web", [python, "-m", "controller.web", str(self.site), str(self.folder)]))
        return children

    def announce(self) -> None:
        """Say where the console is; the link lets one person in, once."""
        if self.headless:
            return
        base = f"http://{self.web.host}:{self.web.port}"
        url = create_login_url(self.folder, base, lambda: time.time_ns() // 1000, actor=getpass.getuser())
        Console(stderr=True).print(f"console: {url}", highlight=False, soft_wrap=True)


def _supervise(plan: _Plan, loaded: bootstrap.Loaded) -> int:
    """Run until control has ended or somebody asks to stop; then let the shipper finish."""
    supervisor = Supervisor(plan.children(), {**os.environ, STORE_URL: plan.store_url})
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    signal.signal(signal.SIGINT, lambda number, _: asked.append(number))
    spool = SpoolReader(plan.folder / "spool.sqlite")
    until_us = plan.identity["until_us"]
    code: int | None = None
    supervisor.start()
    with View(loaded.site.start_us, until_us, live=not plan.headless) as view:
        while code is None and not asked:
            time.sleep(0.1 if plan.headless else 0.2)
            code = supervisor.poll()
            if spool.path.exists():
                view.show(spool.live())
    if asked:
        supervisor.stop()
        return 130 if asked[0] == signal.SIGINT else 0
    supervisor.end("shipper")
    supervisor.stop()
    if code == 0:
        bootstrap.ship_the_rest(plan.folder, plan.store_url)
        plan.finished()
    return code or 0


def _write_report(plan: _Plan, path: Path, wall_s: float) -> None:
    body = json.loads((plan.folder / "report.json").read_text())
    body["decisions"] = bootstrap.count_stored(plan.store_url)
    body["wall_s"] = round(wall_s, 3)
    body["ticks_per_s"] = round(body["ticks"] / wall_s, 1)
    path.write_text(json.dumps(body, indent=2) + "\n")


def _seconds(text: str) -> int:
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if match is None or int(match[1]) == 0:
        raise SettingsError(f"`--for {text}` is no duration: give a number and one of s, m, h, d, as in 40d")
    return int(match[1]) * UNITS[match[2]]


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise SettingsError(f"`--speed {text}` is no speed: give plant seconds per wall second, as 3000, or `max`")
    return speed
