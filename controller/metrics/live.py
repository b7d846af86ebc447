"""Metrics read from the live status at the moment of a scrape: they cost the loop nothing."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.metrics.catalogue import BY_NAME, CONTROL, COUNTER, LABELS, Names
from controller.protocol.status import PlantStatus, SignalStatus

Sample = tuple[str, tuple[str, ...], float]


class LiveCollector(Collector):
    """Turns the last status into samples. `status` returns it, or None before the first one; it must not raise."""

    def __init__(self, status: Callable[[], PlantStatus | None], names: Names) -> None:
        self._status, self._names = status, names

    def collect(self) -> Iterable[Metric]:
        live = self._status()
        samples = [] if live is None else list(samples_of(live, self._names))
        return families((metric.name for metric in CONTROL if metric.read), samples)

    def describe(self) -> Iterable[Metric]:
        """Registering must not read a status."""
        return []


def families(names: Iterable[str], samples: list[Sample]) -> list[Metric]:
    """Samples under their declared families."""
    made: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
    for name in names:
        metric = BY_NAME[name]
        kind = CounterMetricFamily if metric.kind == COUNTER else GaugeMetricFamily
        made[name] = kind(name, metric.help, labels=metric.labels)
    for name, labels, value in samples:
        made[name].add_metric(labels, value)
    return list(made.values())


def samples_of(live: PlantStatus, names: Names) -> Iterator[Sample]:
    """Every sample of a status."""
    plant = live.plant
    yield from _one_of("understudy_in_control", plant, LABELS["rung"], live.in_control)
    yield from _one_of("understudy_mode", plant, LABELS["mode"], live.mode)
    yield from _one_of("understudy_stage", plant, names.stage, live.stage)
    for outcome in LABELS["outcome"]:
        count = sum(check.outcome.lower() == outcome for check in live.gate.checks)
        yield "understudy_gate_checks", (plant, outcome), count
    for name, value in _scalars(live):
        if value is not None:
            yield name, (plant,), float(value)
    for arm, breach_s in _arms(live.breach_s):
        yield "understudy_breach_seconds_total", (plant, arm), breach_s
    for arm, cost in _arms(live.cost.lanes):
        yield "understudy_cost_total", (plant, arm, live.cost.unit), cost
    for guard in live.guards:
        for arm, value in _arms(guard.lanes):
            yield "understudy_guard_total", (plant, arm, guard.name, guard.unit), value
    yield from _signals(live)
    yield from _setpoints(live)


def _scalars(live: PlantStatus) -> Iterator[tuple[str, float | None]]:
    entered, rss_mb = live.stage_entered_us, live.policy.rss_mb
    yield "understudy_stage_entered_timestamp_seconds", None if entered is None else entered / 1e6
    yield "understudy_rollout_version", live.version
    yield "understudy_trips", len(live.trips)
    yield "understudy_stopped", live.stop.active
    yield "understudy_overridden", live.override is not None
    yield "understudy_escapes_total", live.escapes
    yield "understudy_policy_up", live.policy.state == "up"
    yield "understudy_policy_resident_bytes", None if rss_mb is None else rss_mb * 1e6
    yield "understudy_plant_timestamp_seconds", live.at_us / 1e6
    yield "understudy_live_timestamp_seconds", live.wall_us / 1e6
    yield "understudy_oldest_signal_seconds", max((s.age_us for s in live.signals.values()), default=0) / 1e6


def _one_of(name: str, plant: str, values: Iterable[str], now: str) -> Iterator[Sample]:
    yield from ((name, (plant, value), float(value == now)) for value in values)


def _arms(by_arm: dict[str, float | None]) -> Iterator[tuple[str, float]]:
    for arm, value in by_arm.items():
        if value is not None and arm in LABELS["arm"]:
            yield arm, value


def _signals(live: PlantStatus) -> Iterator[Sample]:
    for quality in LABELS["quality"]:
        count = sum(signal.quality == quality for signal in live.signals.values())
        yield "understudy_signals_degraded", (live.plant, quality), count
    for name, signal in live.signals.items():
        margin = _margin(signal)
        if margin is not None:
            yield "understudy_signal_margin_ratio", (live.plant, name), margin
        if signal.value is not None and (signal.low, signal.high) != (None, None):
            yield "understudy_signal_value", (live.plant, name, signal.unit), signal.value


def _margin(signal: SignalStatus) -> float | None:
    """Distance to the nearer limit over half the band; None without a value or without two limits."""
    if signal.value is None or signal.low is None or signal.high is None or signal.high <= signal.low:
        return None
    return min(signal.value - signal.low, signal.high - signal.value) / ((signal.high - signal.low) / 2)


def _setpoints(live: PlantStatus) -> Iterator[Sample]:
    for name, setpoint in live.setpoints.items():
        if setpoint.low is None or setpoint.high is None or setpoint.high <= setpoint.low:
            continue
        for who in LABELS["who"]:
            value = getattr(setpoint, who)
            if value is not None:
                place = (value - setpoint.low) / (setpoint.high - setpoint.low)
                yield "understudy_setpoint_position_ratio", (live.plant, name, who), place
