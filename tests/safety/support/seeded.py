"""Settings of hypothesis for property tests that must not depend on the machine's load."""

from hypothesis import HealthCheck, settings


def seeded(examples: int) -> settings:
    """The same examples every time, however busy the machine is."""
    slow = [HealthCheck.too_slow]
    return settings(derandomize=True, max_examples=examples, deadline=None, suppress_health_check=slow)
