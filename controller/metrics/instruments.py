"""Counters and histograms made from the catalogue, with every series there from the start.

They are plain dictionaries of numbers, because counting happens on the control path: an addition costs a tenth of a
microsecond here and about one in the client library, whose every child takes a lock. One thread writes; a scrape in another
may read between two additions, which is what a scrape always does.
"""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.metrics.catalogue import BY_NAME, Names

Key = tuple[str, ...]


class Counter:
    """A counter: `add` to the series of some label values. Unknown ones are a KeyError, for they were never declared."""

    __slots__ = ("metric", "values")

    def __init__(self, name: str, names: Names) -> None:
        self.metric = BY_NAME[name]
        self.values: dict[Key, float] = dict.fromkeys(names.series(self.metric), 0.0)

    def add(self, *key: str) -> None:
        self.values[key] += 1.0

    def family(self) -> Metric:
        """As Prometheus reads it."""
        made = CounterMetricFamily(self.metric.name, self.metric.help, labels=self.metric.labels)
        for key, value in self.values.items():
            made.add_metric(key, value)
        return made


class Histogram:
    """A histogram: `observe` a value in the series of some label values."""

    __slots__ = ("metric", "rows", "sums")

    def __init__(self, name: str, names: Names) -> None:
        self.metric = BY_NAME[name]
        series = names.series(self.metric)
        self.rows: dict[Key, list[int]] = {key: [0] * (len(self.metric.buckets) + 1) for key in series}
        self.sums: dict[Key, float] = dict.fromkeys(series, 0.0)

    def observe(self, value: float, *key: str) -> None:
        self.rows[key][bisect_left(self.metric.buckets, value)] += 1
        self.sums[key] += value

    def family(self) -> Metric:
        """As Prometheus reads it: each bucket counts all that is below it as well."""
        made = HistogramMetricFamily(self.metric.name, self.metric.help, labels=self.metric.labels)
        bounds = [*(repr(bound) for bound in self.metric.buckets), "+Inf"]
        for key, row in self.rows.items():
            made.add_metric(key, list(zip(bounds, accumulate(row), strict=True)), self.sums[key])
        return made


class Instruments(Collector):
    """All that one process counts, as one collector."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._held: list[Counter | Histogram] = []

    def counter(self, name: str) -> Counter:
        """A new counter of the catalogue."""
        made = Counter(name, self._names)
        self._held.append(made)
        return made

    def histogram(self, name: str) -> Histogram:
        """A new histogram of the catalogue."""
        made = Histogram(name, self._names)
        self._held.append(made)
        return made

    def collect(self) -> Iterable[Metric]:
        return [held.family() for held in self._held]
