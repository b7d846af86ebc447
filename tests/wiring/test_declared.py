"""What is declared is produced, and what is documented exists: causes of trips, metrics, endpoints."""

import ast
import re
from pathlib import Path

from controller.api.reference import document
from controller.loop.evidence import STATUS
from controller.metrics.catalogue import BY_NAME
from controller.rollout.spec import INSTANT_CAUSES
from tests.docs.pages import inline_code, name_of, pages
from tests.paths import ROOT
from tests.wiring.uses import sources, tree_of

MEASURED = {"breach"}
"""Causes that are numbers of a tick of evidence, not names in it."""
FOR_QUERIES_OF_ONES_OWN = {
    "understudy_guard_total": "a guard is judged by the gate, whose checks have a panel; the sum is for one's own queries",
    "understudy_overridden": "an override is on the console and in the events; nothing alerts on it",
    "understudy_policy_resident_bytes": "the memory limit trips by itself; the metric is for sizing it",
    "understudy_sign_ins_total": "an audit by hand; the alert is on denied requests",
    "understudy_store_ok_timestamp_seconds": "the alert is on the lag; this says since when",
}
"""Metrics that no dashboard, alert or recording rule reads, and why they are exported."""
_ENDPOINT = re.compile(r"/v1/[\w/{}.-]+")


def words_of(path: Path) -> set[str]:
    """The strings and string values of a module."""
    nodes = ast.walk(tree_of(path))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_cause_of_a_trip_has_a_producer() -> None:
    produced = MEASURED | {f"candidate_{status}" for status in STATUS.values()}
    produced |= {word for path in sources("controller/loop") for word in words_of(path)}
    assert set(INSTANT_CAUSES) - produced == set()


def test_every_metric_is_read_or_says_for_whom_it_is() -> None:
    readers = [
        ROOT / "controller" / "metrics" / "dashboards.py",
        *sorted((ROOT / "deploy" / "prometheus").glob("*.yml")),
    ]
    text = "\n".join(path.read_text() for path in readers)
    unread = {name for name in BY_NAME if not re.search(rf"\b{name}(_bucket|_count|_sum|_total)?\b", text)}
    assert unread == set(FOR_QUERIES_OF_ONES_OWN)


def test_every_documented_endpoint_exists() -> None:
    known = {re.sub(r"{\w+}|(?<=/plants/)[\w-]+", "*", path) for path in document()["paths"]} | {"/v1/openapi.json"}
    shown = [
        (name_of(page), endpoint.rstrip("."))
        for page in pages()
        for text in [*inline_code(page.read_text()), *re.findall(r"https?://\S+", page.read_text())]
        for endpoint in _ENDPOINT.findall(text)
    ]
    assert len(shown) > 20
    assert [each for each in shown if re.sub(r"{\w+}|(?<=/plants/)[\w-]+", "*", each[1]) not in known] == []
