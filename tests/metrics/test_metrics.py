"""Metrics are declared once in the catalogue, named by convention, exported from the start, bounded, and correct."""

import re

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from controller.metrics.catalogue import BY_NAME, CONTROL, COUNTER, HISTOGRAM, LABELS, SITE_LABELS, WEB, Metric
from controller.metrics.control import ControlMetrics, control_registry, names_of, serve
from controller.metrics.reference import render
from controller.metrics.web import WebMetrics, area_of
from controller.ports import Event
from safety.values import Rung
from shadow.comparison import Comparison, ComparisonClass
from tests.loop.fakes import WALL_US, ZONES, FakeSite
from tests.metrics.conftest import STAGES
from tests.paths import ROOT

UNITS = {"seconds": "_seconds", "ratio": "_ratio", "bytes": "_bytes"}


def compared(site: FakeSite, kind: ComparisonClass, **channels: float) -> Comparison:
    return Comparison(site.plant, "plant", site.now_us(), kind, channels, (), Rung.INCUMBENT)


def exported(registry: CollectorRegistry) -> dict[str, set[tuple[str, ...]]]:
    """Every series of an exposition, by metric: the sets of its label values."""
    series: dict[str, set[tuple[str, ...]]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                labels = tuple(value for key, value in sorted(sample.labels.items()) if key != "le")
                series.setdefault(name, set()).add(labels)
    return series


@pytest.mark.parametrize("metric", [*CONTROL, *WEB], ids=lambda metric: metric.name)
def test_names_follow_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"understudy_[a-z_]+[a-z]", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == COUNTER)
    assert bool(metric.buckets) == (metric.kind == HISTOGRAM)
    assert metric.help.endswith(".")
    if metric.unit in UNITS:
        assert metric.name.removesuffix("_total").endswith(UNITS[metric.unit]), "the name tells the base unit"
    assert all(label in LABELS or label in SITE_LABELS for label in metric.labels)


def test_names_are_declared_once() -> None:
    assert len(BY_NAME) == len(CONTROL) + len(WEB)


def test_every_counted_series_is_there_before_the_first_tick(
    metrics: ControlMetrics, registry: CollectorRegistry, site: FakeSite
) -> None:
    names, series = names_of(site.envelope_held, STAGES), exported(registry)
    for metric in CONTROL:
        if not metric.read:
            wanted = {
                tuple(value for _, value in sorted(zip(metric.labels, values, strict=True)))
                for values in names.series(metric)
            }
            assert series[metric.name] == wanted, metric.name


def test_running_site_exports_exactly_the_catalogue(
    metrics: ControlMetrics, registry: CollectorRegistry, site: FakeSite
) -> None:
    site.tick(30)
    for decision in site.history:
        metrics.decided(decision, compared(site, ComparisonClass.DIFFER, supply_air_c=1.0))
    assert set(exported(registry)) == {metric.name for metric in CONTROL}


def test_no_run_adds_series_without_bound(metrics: ControlMetrics, registry: CollectorRegistry, site: FakeSite) -> None:
    site.tick(60)
    for decision in site.history:
        metrics.decided(decision)
    before = exported(registry)
    site.tick(60)
    for decision in site.history:
        metrics.decided(decision)
    metrics.happened(Event("e", 1, "something new", "ann", "text"))
    assert exported(registry) == before


def test_decisions_and_refusals_are_counted(
    metrics: ControlMetrics, registry: CollectorRegistry, site: FakeSite
) -> None:
    site.tick(48)  # every twelfth is refused by one rule, on target and step alike
    for decision in site.history:
        metrics.decided(decision)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"plant": "hall-a", **labels})

    assert value("understudy_decisions_total", rung="candidate") == 44
    assert value("understudy_decisions_total", rung="incumbent") == 4
    assert value("understudy_refusals_total", source="candidate", rule="T2-condensation") == 4
    assert value("understudy_proposals_total", source="incumbent", status="ok") == 48
    assert value("understudy_proposal_seconds_sum", source="candidate") == pytest.approx(48 * 95e-6)
    assert value("understudy_decide_seconds_count") == 48


def test_a_late_candidate_is_counted_by_its_status(
    metrics: ControlMetrics, registry: CollectorRegistry, site: FakeSite
) -> None:
    site.tick(53)
    metrics.decided(site.history[-1])
    labels = {"plant": "hall-a", "source": "candidate"}
    assert registry.get_sample_value("understudy_proposals_total", {**labels, "status": "late"}) == 1
    assert registry.get_sample_value("understudy_refusals_total", {**labels, "rule": "T0-late"}) == 1


def test_a_difference_is_a_share_of_the_setpoints_range(
    metrics: ControlMetrics, registry: CollectorRegistry, site: FakeSite
) -> None:
    site.tick()
    metrics.decided(site.history[0], compared(site, ComparisonClass.DIFFER, supply_air_c=-2.5))
    labels = {"plant": "hall-a", "setpoint": "supply_air_c"}
    assert registry.get_sample_value("understudy_step_difference_ratio_sum", labels) == pytest.approx(2.5 / 25)


def test_current_state_is_one_and_other_states_zero(
    metrics: ControlMetrics, registry: CollectorRegistry, site: FakeSite
) -> None:
    site.tick(5)
    site.trip("envelope", "zone hot")
    for name, label, now in (("understudy_mode", "mode", "tripped"), ("understudy_stage", "stage", "4%")):
        values = LABELS["mode"] if label == "mode" else STAGES
        seen = {value: registry.get_sample_value(name, {"plant": "hall-a", label: value}) for value in values}
        assert seen == {value: float(value == now) for value in values}
    assert registry.get_sample_value("understudy_trips", {"plant": "hall-a"}) == 1


def test_cost_and_guards_are_in_the_plants_unit(
    metrics: ControlMetrics, registry: CollectorRegistry, site: FakeSite
) -> None:
    site.tick()
    labels = {"plant": "hall-a", "arm": "applied"}
    assert registry.get_sample_value("understudy_cost_total", {**labels, "unit": "kWh"}) == 5120.0
    guard = {**labels, "guard": "hot", "unit": "K min"}
    assert registry.get_sample_value("understudy_guard_total", guard) == 3.5


def test_margin_is_one_mid_range_and_absent_without_value(
    metrics: ControlMetrics, registry: CollectorRegistry, site: FakeSite
) -> None:
    site.tick(97)  # zone 4 has just failed
    zone = site.history[-1].observation.signals[ZONES[0]].value
    labels = {"plant": "hall-a", "signal": ZONES[0]}
    assert registry.get_sample_value("understudy_signal_margin_ratio", labels) == pytest.approx((27 - zone) / 6)
    assert registry.get_sample_value("understudy_signal_margin_ratio", {**labels, "signal": ZONES[3]}) is None
    assert registry.get_sample_value("understudy_signals_degraded", {"plant": "hall-a", "quality": "bad"}) == 1


@pytest.mark.parametrize("text", [None, "", "{", '{"plant": 3}'])
def test_counters_are_exported_when_the_status_cannot_be_read(
    site: FakeSite, registry: CollectorRegistry, text: str | None
) -> None:
    ControlMetrics(registry, site.envelope_held, STAGES, lambda: text)
    series = exported(registry)
    assert "understudy_decisions_total" in series
    assert "understudy_in_control" not in series


def test_the_control_target_is_served_over_http(site: FakeSite) -> None:
    import socket
    import urllib.request

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    registry = control_registry()
    ControlMetrics(registry, site.envelope_held, STAGES, lambda: None)
    end = serve(registry, "127.0.0.1", port)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        body = answer.read().decode()
    end()
    assert "understudy_decisions_total" in body
    assert "process_resident_memory_bytes" in body


def test_the_web_target_tells_its_catalogue_and_no_other(site: FakeSite) -> None:
    site.tick(3)
    metrics = WebMetrics()
    metrics.watch(site, lambda: 2, lambda: WALL_US + 3_000_000)
    series = exported(metrics.registry)
    assert {name for name in series if name.startswith("understudy_")} == {metric.name for metric in WEB}
    assert metrics.registry.get_sample_value("understudy_live_age_seconds", {"plant": "hall-a"}) == 3
    site.away = True
    assert "understudy_live_age_seconds" not in exported(metrics.registry)


@pytest.mark.parametrize(
    ("path", "area"),
    [
        ("/v1/plants", "api"),
        ("/v1/plants/hall/decide", "push"),
        ("/", "console"),
        ("/metrics", "metrics"),
        ("/readyz", "health"),
        ("/static/a.js", "static"),
        ("/whatever/%00", "console"),
    ],
)
def test_every_path_belongs_to_a_declared_area(path: str, area: str) -> None:
    assert area_of(path) == area
    assert area in LABELS["area"]


def test_the_reference_page_is_what_the_catalogue_says() -> None:
    page = ROOT / "docs" / "reference" / "metrics.md"
    assert page.read_text() == render(), "run `python -m controller.metrics.reference > docs/reference/metrics.md`"
