"""What one run is, worked out from its options before anything is started."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller import bootstrap
from controller.cli.places import state_dir
from controller.errors import SettingsError, StateError
from controller.processes.supervisor import Child
from controller.records import lookup
from controller.records.engine import connect
from controller.settings import WebSettings

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
RUN_FILE = "run.json"
RUN = (RUN_FILE, "report.json", "epoch", "control.sock")
RECORDS = (
    "spool.sqlite",
    "intents.sqlite",
    "store.sqlite",
    "plant.sqlite",
)  # and what lies beside them under their names


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of `understudy run`, as typed."""

    site: Path
    for_: str
    speed: str
    seed: int
    candidate: str
    headless: bool
    state: Path | None


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One run: where its state is, until when, how fast, and what its identity is.

    An interrupted run continues from its checkpoint; a finished run of stated length starts again from the beginning.
    """

    site: Path
    name: str
    folder: Path
    until_us: int | None
    speed: float | None
    seed: int
    candidate: str
    headless: bool
    store_url: str
    web: WebSettings
    site_digest: str

    @property
    def identity(self) -> dict[str, Any]:
        """The values that a run must keep in order to resume. A run without an end is in service: its site may be edited."""
        lasting = {"name": self.name, "candidate": self.candidate, "seed": self.seed, "until_us": self.until_us}
        return lasting if self.until_us is None else lasting | {"site": self.site_digest}

    def prepare(self) -> None:
        """Make the state directory ready: resume, start again, or raise StateError if it belongs to another run."""
        path = self.folder / RUN_FILE
        if path.exists():
            was = _read(path)
            done = was.pop("done", False)
            if done and was == self.identity:
                _remove_finished_run(self.folder)
            elif was != self.identity:
                different = ", ".join(
                    sorted(k for k in was.keys() | self.identity.keys() if was.get(k) != self.identity.get(k))
                )
                raise StateError(
                    f"`{self.folder}` holds another run ({different} differ): remove it, or name another with --state"
                )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise StateError(f"`{self.folder}` is a file: name a folder with --state") from error
        _write(path, self.identity)

    def finished(self) -> None:
        """Note that the run has reached its end."""
        _write(self.folder / RUN_FILE, self.identity | {"done": True})

    def children(self) -> list[Child]:
        """Return the processes that the supervisor keeps running."""
        python = [sys.executable, "-m"]
        control = [*python, "controller.processes.control", str(self.site), str(self.folder), "--seed", str(self.seed)]
        if self.until_us is not None:
            control += ["--until-us", str(self.until_us)]
        if self.speed is not None:
            control += ["--speed", str(self.speed)]
        if self.candidate:
            control += ["--candidate", self.candidate]
        children = [
            Child("control", control, essential=True),
            Child("shipper", [*python, "controller.processes.shipper", str(self.folder / "spool.sqlite")]),
        ]
        if not self.headless:
            control += ["--metrics-port", str(self.web.metrics_port)]
            children.append(Child("web", [*python, "controller.processes.web", str(self.site), str(self.folder)]))
        return children


def plan_run(options: RunOptions, loaded: bootstrap.Loaded) -> RunPlan:
    """The plan of a run. Raises SettingsError for options that cannot be."""
    settings = loaded.site.settings
    until_us = None if not options.for_ else loaded.site.start_us + seconds(options.for_) * 1_000_000
    if options.speed == "max" or (not options.speed and options.headless):
        plant_speed = None
    else:
        plant_speed = _speed(options.speed) if options.speed else settings.demo_speed
    if plant_speed is None and not settings.plant.simulated:
        raise SettingsError("`--speed max` is for simulated plants: a real one has its own time")
    connect(settings.store.url).dispose()  # opens nothing; raises StoreError for a URL that cannot be
    own = "" if not options.candidate else f"-{options.candidate}"
    name = f"{settings.name}{own}"
    if options.for_:
        name = f"runs/{name}-seed{options.seed}-{options.for_}"
    folder = options.state if options.state is not None else state_dir(loaded.site, None).parent / name
    return RunPlan(
        site=options.site,
        name=settings.name,
        folder=folder,
        until_us=until_us,
        speed=plant_speed,
        seed=options.seed,
        candidate=options.candidate,
        headless=options.headless,
        store_url=lookup.store_url(settings.store.url, folder),
        web=settings.web,
        site_digest=loaded.site.digest,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        was = json.loads(path.read_bytes())
        if isinstance(was, dict):
            return was
        raise ValueError("not a JSON object")
    except ValueError as error:
        raise StateError(
            f"`{path}` cannot be read ({error}): nobody knows which run this is; remove it to go on, or name another with --state"
        ) from error


def _write(path: Path, identity: dict[str, Any]) -> None:
    """Replaced as a whole: a kill at any moment leaves the old one or the new one."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(identity))
    fresh.replace(path)


def _remove_finished_run(folder: Path) -> None:
    """Remove the files of a finished run. All others stay: STOP, the login secrets, and files of other origin."""
    for path in folder.iterdir():
        if path.name in RUN or path.name.startswith(RECORDS):
            path.unlink()


def seconds(text: str) -> int:
    """A duration as `90m`, `12h` or `40d`, in seconds."""
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if match is None or int(match[1]) == 0:
        raise SettingsError(
            f"`--for {text}` is not a duration: give a whole number above 0 and one of s, m, h, d, as in 40d"
        )
    return int(match[1]) * UNITS[match[2]]


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise SettingsError(
            f"`--speed {text}` is not a speed: give plant seconds per wall second, above 0 and finite, as 3000, or `max`"
        )
    return speed
