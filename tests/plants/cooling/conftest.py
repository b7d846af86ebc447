"""The demo's training site, as the tests of training have it."""

from tests.learning.conftest import site, spec, tensors

__all__ = ["site", "spec", "tensors"]
