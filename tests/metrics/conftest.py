"""A plant's metrics fed by a fake site."""

import pytest
from prometheus_client import CollectorRegistry

from controller.metrics.control import ControlMetrics
from controller.protocol.status import encode
from tests.loop.fakes import FakeSite

STAGES = ("shadow", "1%", "4%", "25%", "50%", "100%")


def metrics_of(site: FakeSite, registry: CollectorRegistry) -> ControlMetrics:
    """Metrics that read the site's status as the control process would publish it."""
    return ControlMetrics(registry, site.envelope_held, STAGES, lambda: encode(site.status()) if site.history else None)


@pytest.fixture
def site() -> FakeSite:
    return FakeSite()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(site: FakeSite, registry: CollectorRegistry) -> ControlMetrics:
    return metrics_of(site, registry)
