"""A real Prometheus scrapes both targets of the running system: every panel has data, every alert can be judged."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from controller.metrics.dashboards import DASHBOARDS, expressions, render
from tests.deploy.test_prometheus import alerts, has_data, prometheus
from tests.e2e.running import Running
from tests.e2e.test_api import change

pytestmark = [pytest.mark.needs("prometheus"), pytest.mark.xdist_group("e2e")]
PATIENCE_S = 90.0


def panels(plant: str) -> list[tuple[str, str]]:
    queries = [query for name in DASHBOARDS for query in expressions(render(name))]
    return [(title, expr.replace("$__rate_interval", "1m").replace("$plant", plant)) for title, expr in queries]


@pytest.fixture
def answers(running: Running, viewer: httpx.Client, tmp_path: Path) -> Iterator[str]:
    """The URL of a Prometheus with our configuration, scraping this system."""
    token = viewer.headers["Authorization"].removeprefix("Bearer ")
    targets = {"understudy-control": [running.metrics], "understudy-web": [running.web]}
    with prometheus(tmp_path, targets, {running.web: token}) as url:
        yield url


def test_every_panel_has_data_and_every_alert_can_be_judged(
    running: Running, approver: httpx.Client, answers: str
) -> None:
    waiting, until_s = panels(running.plant), time.monotonic() + PATIENCE_S
    while waiting and time.monotonic() < until_s:
        time.sleep(1.0)
        refused = {"setpoints": {"chws_c": 7.5}, "reason": "to be refused by the envelope"}
        assert change(approver, "override/next", refused).status_code == 202
        try:
            waiting = [(title, expr) for title, expr in waiting if not has_data(answers, expr)]
        except httpx.TransportError:
            continue  # it is still starting
    assert not waiting
    for _, expression in alerts():
        has_data(answers, expression)  # raises if the query is invalid
    up = httpx.get(f"{answers}/api/v1/query", params={"query": "up"}).json()["data"]["result"]
    assert {series["metric"]["job"]: series["value"][1] for series in up} == {
        "understudy-control": "1",
        "understudy-web": "1",
    }
