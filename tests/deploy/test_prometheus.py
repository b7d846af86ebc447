"""A real Prometheus scrapes real targets and answers every query of every dashboard, rule and alert with data."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from controller.metrics.catalogue import BY_NAME
from controller.metrics.control import ControlMetrics, control_registry, serve
from controller.metrics.dashboards import DASHBOARDS, expressions, render
from controller.ports import Event
from safety.values import Rung
from shadow.comparison import Comparison, ComparisonClass
from tests.console.console_server import serving
from tests.loop.fakes import FakeSite
from tests.metrics.conftest import metrics_of
from tests.paths import ROOT

DEPLOY = ROOT / "deploy"
FOLDER = DEPLOY / "prometheus"
PATIENCE_S = 45.0


class FailingSite(FakeSite):
    """A plant with everything wrong that an alert is there for."""

    def plain_status(self) -> dict[str, Any]:
        hot = {"unit": "degC", "value": 40.0, "quality": "stale", "age_us": 5, "low": 15.0, "high": 27.0}
        return {
            **super().plain_status(),
            "in_control": "hold",
            "escapes": 1,
            "trips": [{"id": "1"}],
            "stop": {"active": True},
            "policy": {"state": "down"},
            "signals": {"zone_1_c": hot},
            "wall_us": self.wall_us - 60_000_000,
            "store": {"away": True, "lag": 25_000},
        }


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def alerts() -> list[tuple[str, str]]:
    """Every alert with its expression."""
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [(rule["alert"], rule["expr"]) for group in groups for rule in group["rules"]]


def panels() -> list[tuple[str, str]]:
    """Every panel's query, with the dashboard's variables filled in."""
    queries = [query for name in DASHBOARDS for query in expressions(render(name))]
    return [(title, expr.replace("$__rate_interval", "1m").replace("$plant", "hall-a")) for title, expr in queries]


class Fed:
    """A site with both its targets, which keeps deciding while it is scraped."""

    def __init__(self, site: FakeSite, state: Path, stack: ExitStack) -> None:
        self.site, self.control_port = site, free_port()
        registry = control_registry()
        self.metrics: ControlMetrics = metrics_of(site, registry)
        stack.callback(serve(registry, "127.0.0.1", self.control_port))
        self.url, self.token = stack.enter_context(serving(site, state, push=True)).split("/login?token=")
        self.web_port = int(self.url.rpartition(":")[2])
        self.client = stack.enter_context(httpx.Client(base_url=self.url, headers={"Origin": self.url}))
        self.client.get("/login", params={"token": self.token})

    def live(self) -> None:
        """Some ticks, an event, a change, a push."""
        before = len(self.site.history)
        self.site.tick(24)
        for decision in self.site.history[before:]:
            seen = decision.observation
            kind, channels = ComparisonClass.DIFFER, dict.fromkeys(decision.command.setpoints, 0.5)
            self.metrics.decided(
                decision, Comparison(seen.plant, "plant", seen.taken_at, kind, channels, (), Rung.INCUMBENT)
            )
            self.metrics.began(0.001)
        self.metrics.happened(Event("e", 1, "note", "system", ""))
        self.client.post("/act/pause?plant=hall-a", data={"key": str(before), "reason": "because"})
        self.site.mode = "rollout"
        command = {"supply_air_c": 20.0, "chw_supply_c": 8.0, "fan_frac": 0.7}
        body = {"taken_at": self.site.now_us() + 1, "signals": {}, "incumbent": command}
        assert self.client.post("/v1/plants/hall-a/decide", json=body).status_code == 200


@contextmanager
def prometheus(folder: Path, targets: dict[str, list[str]], token: dict[str, str]) -> Iterator[str]:
    """A Prometheus with our own configuration, its targets, intervals and secret replaced. Yields its URL."""
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(FOLDER / name) for name in config["rule_files"]]
    jobs = []
    for job in config["scrape_configs"]:
        for n, target in enumerate(targets[job["job_name"]]):
            secret = folder / f"token-{n}"
            secret.write_text(token.get(target, ""))
            auth = {"authorization": {"credentials_file": str(secret)}} if "authorization" in job else {}
            relabel = [{"target_label": "job", "replacement": job["job_name"]}]
            name = f"{job['job_name']}-{n}"
            jobs.append(
                {"job_name": name, "static_configs": [{"targets": [target]}], "relabel_configs": relabel, **auth}
            )
    config["scrape_configs"] = jobs
    path, port = folder / "prometheus.yml", free_port()
    path.write_text(yaml.safe_dump(config))
    options = [
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(["prometheus", *options, "--log.level=error"], stderr=log, stdout=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def has_data(url: str, expression: str) -> bool:
    """Whether a query gives at least one finite number over the last seconds."""
    now = time.time()
    params = {"query": expression, "start": now - 20, "end": now, "step": 1}
    answer = httpx.get(f"{url}/api/v1/query_range", params=params).json()
    assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
    values = [value for series in answer["data"]["result"] for _, value in series["values"]]
    return any(value not in ("NaN", "+Inf", "-Inf") for value in values)


@pytest.mark.needs("prometheus")
@pytest.mark.xdist_group("prometheus")
def test_all_panels_and_alerts_get_data_from_prometheus(tmp_path: Path) -> None:
    for name in ("healthy", "failing", "prometheus"):
        (tmp_path / name).mkdir()
    with ExitStack() as stack:
        healthy, failing = Fed(FakeSite(), tmp_path / "healthy", stack), Fed(FailingSite(), tmp_path / "failing", stack)
        failing.site.control_down = True
        gone = f"127.0.0.1:{free_port()}"
        targets = {
            "understudy-control": [f"127.0.0.1:{healthy.control_port}", f"127.0.0.1:{failing.control_port}", gone],
            "understudy-web": [f"127.0.0.1:{healthy.web_port}", f"127.0.0.1:{failing.web_port}", gone],
        }
        tokens = {f"127.0.0.1:{fed.web_port}": fed.site.viewer_token for fed in (healthy, failing)}
        url = stack.enter_context(prometheus(tmp_path / "prometheus", targets, tokens))
        waiting = panels() + alerts()
        until = time.monotonic() + PATIENCE_S
        while waiting and time.monotonic() < until:
            for fed in (healthy, failing):
                fed.live()
            time.sleep(1.0)
            try:
                waiting = [(title, expr) for title, expr in waiting if not has_data(url, expr)]
            except httpx.TransportError:
                continue  # it is still starting
        assert not waiting


@pytest.mark.needs("prometheus")
@pytest.mark.parametrize("arguments", [["check", "config", "--syntax-only"], ["check", "rules"], ["test", "rules"]])
def test_promtool_accepts_configuration_rules_and_their_tests(arguments: list[str]) -> None:
    files = {"config": ["prometheus.yml"], "rules": ["recording.yml", "alerts.yml"]}[arguments[1]]
    if arguments[0] == "test":
        files = ["tests/rules_test.yml"]
    tool = shutil.which("promtool")
    assert tool is not None
    done = subprocess.run([tool, *arguments, *files], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_dashboards_are_what_their_source_makes() -> None:
    for name in DASHBOARDS:
        path = DEPLOY / "grafana" / "dashboards" / f"{name}.json"
        assert json.loads(path.read_text()) == render(name), (
            "run `python -m controller.metrics.dashboards deploy/grafana/dashboards`"
        )


def test_no_query_names_a_metric_that_is_not_declared() -> None:
    groups = yaml.safe_load((FOLDER / "recording.yml").read_text())["groups"]
    recorded = {rule["record"]: rule["expr"] for group in groups for rule in group["rules"]}
    for expr in [*(expr for _, expr in panels() + alerts()), *recorded.values()]:
        for name in re.findall(r"\b(?:plant:)?understudy_[a-z_:0-9]+", expr):
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            assert base in BY_NAME or name in recorded, name


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    for name in DASHBOARDS:
        seen: set[tuple[int, int]] = set()
        made = render(name)["panels"]
        assert len({panel["id"] for panel in made}) == len(made)
        for panel in made:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & seen, panel["title"]
            assert at["x"] + at["w"] <= 24
            seen |= cells


def test_grafana_is_provisioned_with_the_datasource_the_dashboards_use() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "understudy.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "understudy.yaml").read_text())["providers"]
    assert source["uid"] == "understudy"
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
