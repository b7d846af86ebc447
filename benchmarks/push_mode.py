"""Push mode against a bare Starlette endpoint that echoes the same JSON with msgspec, both on one core.

The web process is pinned to one core. The load generator and the control process share the others, for both
measurements alike. Prints requests per second, latencies and the web process's own processor time per request, and
their ratios; rounds alternate, so that a busy machine slows both. Processor time hardly changes when
other programs use the same core.

With `--real` the push-mode demo's own processes answer, every question a real decision of a moment of its own: guard,
candidate, record and all. A plant asks one question at a time, so there is one connection, and the ratio then says what
deciding costs, not what the way there does.

    python -m benchmarks.push_mode [--rounds 5] [--seconds 2] [--connections 16] [--real]
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BODY = json.dumps(
    {
        "taken_at": 1_767_225_900_000_000,
        "signals": {f"zone_{n}_c": {"value": 22.5 + n / 10} for n in range(15)},
        "incumbent": {
            "supply_air_c": 20.0,
            "chw_supply_c": 9.0,
            "fan_frac": 0.7,
            "pump_frac": 0.6,
            "cw_supply_c": 25.0,
        },
        "applied": {"supply_air_c": 20.5, "chw_supply_c": 9.0, "fan_frac": 0.7, "pump_frac": 0.6, "cw_supply_c": 25.0},
        "deadline_ms": 1000,
    }
).encode()

SITES = Path(__file__).resolve().parents[1] / "deploy" / "sites"


def serve_bare(port: int) -> None:
    """The reference: decode, encode, nothing else."""
    import msgspec
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    decoder, encoder = msgspec.json.Decoder(), msgspec.json.Encoder()

    async def echo(request: Request) -> Response:
        return Response(encoder.encode(decoder.decode(await request.body())), media_type="application/json")

    _uvicorn(Starlette(routes=[Route("/echo", echo, methods=["POST"])]), port)


def serve_push(port: int, state: Path) -> None:
    """The web process with everything in it: gate, roles, routes, the control socket."""
    from controller.api.access import FILE, AccessBook
    from controller.api.app import create_app, wall_us
    from controller.protocol.push_client import PushClient

    class Site:
        def __init__(self) -> None:
            self._push = PushClient(state / "control.sock")

        async def decide(self, plant: str, request: Any) -> Any:
            return await self._push.decide(plant, request)

    _uvicorn(create_app(Site(), AccessBook(state / FILE, wall_us), push_plants=["hall-a"]), port)  # type: ignore[arg-type]


def serve_control(state: Path) -> None:
    """The control process's end, with a handler that answers at once: what a decision costs is measured elsewhere."""
    from controller.protocol.push import DecideRequest, DecideResponse
    from controller.protocol.push_server import PushServer

    def handle(plant: str, request: DecideRequest) -> DecideResponse:
        return DecideResponse(
            "decided", "block 41 of stage 4%", "incumbent", dict(request.incumbent), 600_000_000, 3, f"{plant}.p.1"
        )

    PushServer(state / "control.sock", handle, lambda: None).start()
    signal.pause()


def real_site(folder: Path, port: int) -> Path:
    """A copy of the push-mode demo that listens on `port`."""
    shutil.copytree(SITES / "demo", folder / "demo")
    site = shutil.copytree(SITES / "push-demo", folder / "push-demo")
    settings = (site / "site.toml").read_text()
    (site / "site.toml").write_text(settings.replace("\nport = 8810", f"\nport = {port}"))
    return site


def questions() -> Callable[[], bytes]:
    """Return a source of requests from a hall at rest, each five minutes after the one before."""
    from simulators.cooling.simulation import Simulation, start_setpoints
    from simulators.cooling.world.scenario import scenario

    hall = Simulation(scenario("greensboro-year"), seed=1)
    signals = {spec.name: {"value": float(v)} for spec, v in zip(hall.signals, hall.observe()[0], strict=True)}
    own = dict(zip([spec.name for spec in hall.setpoints], map(float, start_setpoints(4, 1)[0]), strict=True))
    rest = json.dumps({"signals": signals, "incumbent": own, "applied": own, "readback": own, "deadline_ms": 1000})
    moments = itertools.count(1_700_000_100_000_000, 300_000_000)
    return lambda: f'{{"taken_at": {next(moments)}, {rest[1:]}'.encode()


def _uvicorn(app: Any, port: int) -> None:
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


@contextlib.contextmanager
def child(cores: set[int], *arguments: str, port: int = 0) -> Iterator[int]:
    """A child process of this file pinned to `cores`; ready when its port answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.push_mode", *arguments],
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    try:
        until = time.monotonic() + 20
        while port and time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


async def load(
    port: int, path: str, token: str, connections: int, seconds: float, body: Callable[[], bytes]
) -> tuple[float, list[float]]:
    """Requests per second and every latency in seconds, over `connections` kept open."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body())}\r\n\r\n"
    ).encode()
    until, latencies = time.perf_counter() + seconds, []

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (start := time.perf_counter()) < until:
            writer.write(head + body())
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"the server answered {answer!r}")
            length = int(answer.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
            reply = await reader.readexactly(length)
            if path != "/echo" and b'"decided"' not in reply:
                raise SystemExit(f"no decision: {reply!r}")
            latencies.append(time.perf_counter() - start)
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return len(latencies) / (time.perf_counter() - start), latencies


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=2.0)
    arguments.add_argument("--connections", type=int, default=16)
    arguments.add_argument("--real", action="store_true", help="real decisions by the push-mode demo, one at a time")
    args = arguments.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    web, others = {cores[0]}, set(cores[1:]) or {cores[0]}
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        token = _token(state)
        bare, push = _free_port(), _free_port()
        if args.real:
            args.connections = 1
            site = str(real_site(state, push))
            control, served, plant, body = (
                ("real-control", site, folder),
                ("real-web", site, folder),
                "hall",
                questions(),
            )
        else:
            control, served, plant, body = ("control", folder), ("push", str(push), folder), "hall-a", lambda: BODY
        with (
            child(others, *control) as control_pid,
            child(web, "bare", str(bare), port=bare) as bare_pid,
            child(web, *served, port=push) as push_pid,
        ):
            os.sched_setaffinity(0, others)
            path = f"/v1/plants/{plant}/decide"
            targets = [("bare", bare, bare_pid, "/echo"), ("push", push, push_pid, path)]
            _wait_for_a_decision(push, path, token, body)
            before_s, seen = _cpu_s(control_pid), _report(args, targets, token, body)
            print(
                f"control process: {(_cpu_s(control_pid) - before_s) / seen * 1e6:.0f} us of processor time a decision"
            )
    print(f"load average {os.getloadavg()[0]:.1f} on {len(cores)} cores")


def _wait_for_a_decision(port: int, path: str, token: str, body: Callable[[], bytes]) -> None:
    """Ask until control is up."""
    until = time.monotonic() + 60
    while True:
        try:
            asyncio.run(load(port, path, token, 1, 0.01, body))
            return
        except SystemExit:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _report(
    args: argparse.Namespace, targets: list[tuple[str, int, int, str]], token: str, body: Callable[[], bytes]
) -> int:
    """Measure and print; returns how many push-mode requests were answered."""
    rates: dict[str, list[float]] = {"bare": [], "push": []}
    cpu_us: dict[str, list[float]] = {"bare": [], "push": []}
    latencies: dict[str, list[float]] = {"bare": [], "push": []}
    for name, port, pid, path in targets * (args.rounds + 1):
        before_s = _cpu_s(pid)
        rate, seen = asyncio.run(load(port, path, token, args.connections, args.seconds, body))
        rates[name].append(rate)
        cpu_us[name].append((_cpu_s(pid) - before_s) / len(seen) * 1e6)
        latencies[name] += seen
    print(f"{'':14}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'cpu us/request':>17}")
    for name, title in (("bare", "bare echo"), ("push", "push mode")):
        seen = sorted(latencies[name])
        p50, p99 = seen[len(seen) // 2] * 1e3, seen[int(len(seen) * 0.99)] * 1e3
        rate, cost = statistics.median(rates[name][1:]), statistics.median(cpu_us[name][1:])  # the first round warms up
        print(f"{title:14}{rate:12.0f}{p50:10.2f}{p99:10.2f}{cost:17.0f}")
    _ratio("rate", rates["push"][1:], rates["bare"][1:])
    _ratio("per processor time", cpu_us["bare"][1:], cpu_us["push"][1:])
    return len(latencies["push"])


def _ratio(what: str, over: list[float], under: list[float]) -> None:
    ratios = [one / other for one, other in zip(over, under, strict=True)]
    middle = statistics.median(ratios)
    print(f"ratio by {what}: {middle:.2f} (rounds {min(ratios):.2f} to {max(ratios):.2f}); wanted >= 0.40")


def _cpu_s(pid: int) -> float:
    """Processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _token(state: Path) -> str:
    from controller.api.access import create_token
    from controller.api.app import wall_us

    return create_token(state, "benchmark", "operator", wall_us)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["bare", port]:
            serve_bare(int(port))
        case ["push", port, folder]:
            serve_push(int(port), Path(folder))
        case ["control", folder]:
            serve_control(Path(folder))
        case ["real-control", site, folder]:
            from controller.processes import control

            sys.exit(control.main([site, folder, "--speed", "1"]))
        case ["real-web", site, folder]:
            from controller.processes import web

            web.main(Path(site), Path(folder))
        case _:
            main()
