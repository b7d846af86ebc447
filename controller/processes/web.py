"""The web process: operator API, console and its own metrics. It reads what control publishes and submits intents;
control does not depend on it.

    python -m controller.processes.web SITE STATE
"""

import os
import sys
import threading
import time
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from controller.api.access import AccessBook
from controller.api.app import create_app
from controller.api.site import SiteBackend
from controller.console.app import install_console
from controller.plants.registry import kind_of
from controller.processes.parent_watchdog import watch_parent
from controller.records.lookup import store_url
from controller.records.store import Store
from controller.settings import Site, load_site
from safety.loading.spec import load_envelope

BEHIND_CONTROL = 5
"""The niceness of this process, so that control gets the core first: a busy API must not delay a tick."""


def build(site: Site, state: Path) -> FastAPI:
    """The application of one site."""
    settings = site.settings
    plant = settings.plant.name
    envelope = load_envelope(site.folder / settings.files.envelope)
    url = store_url(settings.store.url, state)
    backend = SiteBackend(state, [plant], {envelope.digest: envelope}, lambda: Store(url, wait_s=2.0))
    access = AccessBook(state / "access.sqlite", lambda: time.time_ns() // 1000)
    push_plants = [plant] if kind_of(settings.plant).push else []
    return install_console(create_app(backend, access, push_plants=push_plants))


def main(folder: Path, state: Path) -> None:
    """Serve until told to end."""
    os.nice(BEHIND_CONTROL)
    site = load_site(folder)
    web = site.settings.web
    config = uvicorn.Config(
        build(site, state),
        host=web.host,
        port=web.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)

    def end() -> None:
        server.should_exit = True
        threading.Timer(3.0, os._exit, (0,)).start()  # an open event stream must not keep an orphan alive

    watch_parent(os.environ, end)
    server.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
