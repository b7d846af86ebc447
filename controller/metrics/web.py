"""The web process's metrics: requests, denials, changes, push answers, and how it sees control and store."""

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.metrics.catalogue import WEB, Names
from controller.metrics.instruments import Instruments
from controller.metrics.live import Sample, families
from controller.protocol.status import PlantStatus

_NONE = Names(plant=())
_PREFIXES = (
    ("/v1/", "api"),
    ("/static/", "static"),
    ("/metrics", "metrics"),
    ("/livez", "health"),
    ("/readyz", "health"),
)


class Statuses(Protocol):
    """Where plants and their statuses come from: the backend."""

    def plants(self) -> list[str]: ...

    def live(self, plant: str) -> PlantStatus | None: ...


class WebMetrics:
    """All the web process counts. One event loop writes; a scrape reads from a thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        instruments = Instruments(_NONE)
        self._requests = instruments.counter("understudy_http_requests_total")
        self._seconds = instruments.histogram("understudy_http_request_seconds")
        self._denied = instruments.counter("understudy_denied_requests_total")
        self._sign_ins = instruments.counter("understudy_sign_ins_total")
        self._push = instruments.counter("understudy_push_answers_total")
        self._changes = instruments.counter("understudy_changes_total")
        self.registry.register(instruments)

    def watch(self, statuses: Statuses, streams: Callable[[], int], now_us: Callable[[], int]) -> None:
        """Also tell, at each scrape, how the plants look from here."""
        self.registry.register(_Seen(statuses, streams, now_us))

    def requested(self, path: str, method: str, status: int, took_s: float | None) -> None:
        """Count one request. `took_s` is None for a stream, whose length means nothing."""
        area = area_of(path)
        self._requests.add(area, method if method in ("GET", "POST") else "OTHER", f"{status // 100}xx")
        if took_s is not None:
            self._seconds.observe(took_s, area)
        if status in (401, 403):
            self._denied.add("unauthenticated" if status == 401 else "forbidden")

    def signed_in(self, accepted: bool) -> None:
        """Count a login link, exchanged or refused."""
        self._sign_ins.add("accepted" if accepted else "refused")

    def pushed(self, answer: str) -> None:
        """Count a push-mode answer."""
        self._push.add(answer)

    def changed(self, act: str, result: str) -> None:
        """Count a change by act and result."""
        self._changes.add(act, result)


class Measure:
    """Counts every request of an application. The outermost layer, so that denials count as well."""

    def __init__(self, app: ASGIApp, metrics: WebMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s, status, streams = perf_counter(), 500, False

        async def sent(message: Message) -> None:
            nonlocal status, streams
            if message["type"] == "http.response.start":
                status = message["status"]
                streams = (b"content-type", b"text/event-stream; charset=utf-8") in message.get("headers", ())
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            took_s = None if streams else perf_counter() - began_s
            self._metrics.requested(scope["path"], scope["method"], status, took_s)


def area_of(path: str) -> str:
    """The part of the service a path belongs to."""
    if path.startswith("/v1/") and path.endswith("/decide"):
        return "push"
    return next((area for prefix, area in _PREFIXES if path.startswith(prefix)), "console")


class _Seen(Collector):
    """How control and store look from the web process."""

    def __init__(self, statuses: Statuses, streams: Callable[[], int], now_us: Callable[[], int]) -> None:
        self._statuses, self._streams, self._now_us = statuses, streams, now_us

    def collect(self) -> Iterable[Metric]:
        return families((metric.name for metric in WEB if metric.read), self._samples())

    def describe(self) -> Iterable[Metric]:
        """Registering must not read a status."""
        return []

    def _samples(self) -> list[Sample]:
        samples: list[Sample] = [("understudy_streams", (), self._streams())]
        try:
            lives = [live for plant in self._statuses.plants() if (live := self._statuses.live(plant)) is not None]
        except (
            Exception
        ):  # a spool that cannot be read leaves the samples out; their absence is what the alert looks for
            return samples
        for live in lives:
            plant, store = (live.plant,), live.store
            samples.append(("understudy_live_age_seconds", plant, (self._now_us() - live.wall_us) / 1e6))
            samples.append(("understudy_store_unreachable", plant, float(store.away)))
            samples.append(("understudy_spool_lag_entries", plant, store.lag))
            if store.last_ok_wall_us is not None:
                samples.append(("understudy_store_ok_timestamp_seconds", plant, store.last_ok_wall_us / 1e6))
        return samples
