"""Counters and histograms made from the catalogue, with every series there from the start."""

from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram

from controller.metrics.catalogue import BY_NAME, Names

One = TypeVar("One", Counter, Histogram)


def counters(registry: CollectorRegistry, name: str, names: Names) -> dict[tuple[str, ...], Counter]:
    """A counter's children by their label values. Keeping them is what makes counting cheap."""
    metric = BY_NAME[name]
    return _children(Counter(name, metric.help, metric.labels, registry=registry), name, names)


def histograms(registry: CollectorRegistry, name: str, names: Names) -> dict[tuple[str, ...], Histogram]:
    """A histogram's children by their label values."""
    metric = BY_NAME[name]
    made = Histogram(name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)
    return _children(made, name, names)


def _children(made: One, name: str, names: Names) -> dict[tuple[str, ...], One]:
    labels = BY_NAME[name].labels
    return {values: made.labels(*values) if labels else made for values in names.series(BY_NAME[name])}
