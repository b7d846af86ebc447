"""The control process: one plant's loop, its policy child, and nothing that could make it wait.

    python -m controller.processes.control SITE STATE [--until-us T] [--speed X] [--seed N] [--candidate NAME]

Exit codes: 0 when plant time `--until-us` is reached (the report is then in STATE/report.json), 2 when it refuses to start,
75 when a signal or the end of its parent stopped it early. The supervisor starts it again in every other case.
"""

import argparse
import gc
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller import bootstrap
from controller.errors import UnderstudyError
from controller.loop.push_mode import Answering
from controller.metrics.control import serve
from controller.processes.parent_watchdog import watch_parent
from controller.protocol.push_server import PushServer
from controller.records.errors import RecordsError
from safety.kernel import ForeignKernelError

REFUSED, INTERRUPTED = 2, 75
WAITING_S = 0.25
log = logging.getLogger("understudy.control")


def main(argv: list[str] | None = None) -> int:
    """Run the control process until its time is up, or until SIGTERM, SIGINT or the end of its parent. Returns the exit code."""
    options = _options(argv)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    signal.signal(signal.SIGINT, lambda *_: ending.set())
    watch_parent(os.environ, ending.set)
    try:
        system = bootstrap.build_control(
            bootstrap.Options(
                site=Path(options.site),
                state=Path(options.state),
                candidate=options.candidate,
                seed=options.seed,
                speed=options.speed,
            )
        )
    except (UnderstudyError, ValueError, RecordsError, ForeignKernelError) as error:
        print(f"understudy: {error}", file=sys.stderr)  # noqa: T201
        return REFUSED
    if options.metrics_port is not None:
        serve(system.registry, "127.0.0.1", options.metrics_port)
    gc.collect()
    gc.freeze()  # libraries and envelope stay: to look through them again would hold a tick up by 100 ms
    with system, serving(system, Path(options.state) / "control.sock"):
        if system.built.pushed is not None:
            while not ending.wait(WAITING_S):
                system.live.waiting()
            return INTERRUPTED
        until_us = options.until_us if options.until_us is not None else 2**62
        system.loop.run(until_us, lambda: not ending.is_set())
        if ending.is_set():
            return INTERRUPTED
        (Path(options.state) / "report.json").write_text(json.dumps(system.report(), indent=2) + "\n")
    return 0


@contextmanager
def serving(system: bootstrap.ControlSystem, path: Path) -> Iterator[None]:
    """The control socket: notifications of the operator queue, and decisions for a plant in push mode."""
    server = PushServer(path, Answering(system.loop, system.built.pushed).answer, system.operators.notify)
    server.start()
    try:
        yield
    finally:
        server.close()


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="controller.processes.control")
    parser.add_argument("site")
    parser.add_argument("state")
    parser.add_argument("--until-us", type=int)
    parser.add_argument("--speed", type=float, help="plant seconds per wall second; left out: as fast as it goes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--candidate", default="")
    parser.add_argument("--metrics-port", type=int, help="left out: no metrics are served")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
