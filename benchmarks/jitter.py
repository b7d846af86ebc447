"""How late the control process begins its ticks, idle and with the API under full load on loopback.

    python -m benchmarks.jitter [--seconds 15] [--rounds 2] [--connections 16]

A copy of the demo site on ports of its own runs as `understudy run` runs it: control paced at the site's speed (ten ticks
a second), shipper, web. Idle and loaded spells take turns. A generator in a process of its own keeps every connection
asking the API with a token: plants, status, decisions, rollout. It stands for clients on other machines, and so stands
back (`nice`) as far as the web process does. A tick's lateness is the value that `understudy_tick_lateness_seconds`
counts; the control process writes down each one.

The reference, just before in the same run: how late a bare `sleep` to a due time wakes up.

Target: p99 under load at most 5 ms above idle.
"""

import argparse
import asyncio
import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from controller.processes.parent_watchdog import STORE_URL

SITE = Path(__file__).resolve().parents[1] / "deploy/sites/demo"
TARGET_MS = 5.0
SETTLE_S = 2.0
BEHIND = 5
PATHS = ("/v1/plants", "/v1/plants/hall", "/v1/plants/hall/decisions?limit=20", "/v1/plants/hall/rollout")


def control(site: Path, state: Path, lateness: Path) -> None:
    """The control process, with every lateness written down: wall time and lateness [s]."""
    from controller import bootstrap
    from controller.plants.real_time import Paced
    from controller.processes.control import serving

    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    system = bootstrap.build_control(
        bootstrap.Options(site, state, speed=bootstrap.load(site).site.settings.demo_speed)
    )
    plant = system.loop.parts.plant
    assert isinstance(plant, Paced)
    count = plant.began
    with lateness.open("w", buffering=1) as file, system, serving(system, state / "control.sock"):

        def began(late_s: float) -> None:
            count(late_s)
            file.write(f"{time.time():.6f} {late_s:.9f}\n")

        plant.began = began
        system.loop.run(2**62, lambda: not ending.is_set())


async def load(port: int, token: str, connections: int, seconds: float) -> int:
    """Ask the API over `connections` kept open, as fast as it answers; return the number of answers."""
    until, answers = time.monotonic() + seconds, 0

    async def one(index: int) -> None:
        nonlocal answers
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        n = index
        while time.monotonic() < until:
            path, n = PATHS[n % len(PATHS)], n + 1
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"`{path}` answered {head!r}")
            await reader.readexactly(int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]))
            answers += 1
        writer.close()

    await asyncio.gather(*map(one, range(connections)))
    return answers


@contextlib.contextmanager
def child(*argv: str, **environment: str) -> Iterator[None]:
    """A process for as long as the block lasts."""
    process = subprocess.Popen([sys.executable, *argv], env=os.environ | environment)
    try:
        yield
        if process.poll() is not None:
            raise SystemExit(f"`{' '.join(argv[:3])}` ended with {process.returncode}")
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


def site_on(port: int, metrics_port: int, folder: Path) -> Path:
    """The demo site on other ports."""
    shutil.copytree(SITE, folder)
    path = folder / "site.toml"
    text = path.read_text()
    path.write_text(text.replace("port = 8800", f"port = {port}").replace("port = 8801", f"port = {metrics_port}"))
    return folder


def bare_sleep(seconds: float) -> list[float]:
    """Measure how late a bare sleep wakes up [s], ten times a second."""
    late, due = [], time.monotonic()
    for _ in range(int(seconds * 10)):
        due = max(due, time.monotonic()) + 0.1
        time.sleep(due - time.monotonic())
        late.append(time.monotonic() - due)
    return late


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=15.0)
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--connections", type=int, default=16)
    args = arguments.parse_args()
    reference = bare_sleep(args.seconds / 2)
    with tempfile.TemporaryDirectory() as name:
        _run(args, Path(name), reference)


def _run(args: argparse.Namespace, folder: Path, reference: list[float]) -> None:
    from controller.api.access import create_token
    from migrations import upgrade

    port, state = _free_port(), folder / "state"
    site = site_on(port, _free_port(), folder / "site")
    url = f"sqlite:///{state / 'store.sqlite'}"
    state.mkdir()
    upgrade(url)
    token = create_token(state, getpass.getuser(), "viewer", lambda: time.time_ns() // 1000)
    lateness = folder / "lateness"
    spells: list[tuple[str, float, float, int]] = []
    with (
        child("-m", "benchmarks.jitter", "control", str(site), str(state), str(lateness)),
        child("-m", "controller.processes.shipper", str(state / "spool.sqlite"), **{STORE_URL: url}),
        child("-m", "controller.processes.web", str(site), str(state), **{STORE_URL: url}),
    ):
        _wait(port, lateness)
        for _ in range(args.rounds):
            for kind in ("idle", "loaded"):
                time.sleep(SETTLE_S)
                start, answers = time.time(), 0
                if kind == "idle":
                    time.sleep(args.seconds)
                else:
                    answers = _loaded(port, token, args)
                spells.append((kind, start, time.time(), answers))
    _print(lateness, spells, reference)


def _loaded(port: int, token: str, args: argparse.Namespace) -> int:
    arguments = [str(port), token, str(args.connections), str(args.seconds)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.jitter", "load", *arguments], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


def _wait(port: int, lateness: Path) -> None:
    """Until the web process listens and control has begun to tick."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            if lateness.stat().st_size > 0:
                return
        time.sleep(0.1)
    raise SystemExit("the site did not start within 60 s")


def _print(lateness: Path, spells: list[tuple[str, float, float, int]], reference: list[float]) -> None:
    ticks = [(float(at), float(late)) for at, late in (line.split() for line in lateness.read_text().splitlines())]
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'':12}{'ticks':>7}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}{'requests/s':>12}")
    p99 = {}
    for kind in ("idle", "loaded"):
        mine = [spell for spell in spells if spell[0] == kind]
        late = [late for at, late in ticks if any(start <= at <= end for _, start, end, _ in mine)]
        rate = sum(answers for *_, answers in mine) / sum(end - start for _, start, end, _ in mine)
        p99[kind] = _line(kind, late, f"{rate:12.0f}")
    bare = _line("bare sleep", reference, "")
    more = p99["loaded"] - p99["idle"]
    print(f"p99 over bare sleep: idle {p99['idle'] / bare:.1f}, loaded {p99['loaded'] / bare:.1f}")
    print(
        f"p99 under load is {more:+.2f} ms over idle; target at most {TARGET_MS:+.0f} ({'met' if more <= TARGET_MS else 'not met'})"
    )


def _line(name: str, late: list[float], rate: str) -> float:
    ordered = sorted(late)
    p50, p99 = (ordered[int(len(ordered) * share)] * 1e3 for share in (0.5, 0.99))
    print(f"{name:12}{len(ordered):7}{p50:10.2f}{p99:10.2f}{ordered[-1] * 1e3:10.2f}{rate}")
    return p99


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["control", site, state, lateness]:
            control(Path(site), Path(state), Path(lateness))
        case ["load", port, token, connections, seconds]:
            os.nice(BEHIND)
            print(asyncio.run(load(int(port), token, int(connections), float(seconds))))
        case _:
            main()
