"""A relation whose limit is measured has a provable last resort once it says what to assume when it is not."""

from typing import Any

import pytest

z3 = pytest.importorskip("z3")

from safety.loading.spec import build_envelope  # noqa: E402
from safety.proof.obligations import last_resorts_stand  # noqa: E402
from tests.safety.support.golden import model_of  # noqa: E402


def failing(**change: Any) -> set[str]:
    shared = {"limit": "120 - 2.0 * dew_point_c", **change}
    envelope = build_envelope(model_of({"change": {"PUMP-SHARE": shared}}))
    return {each.name for each in last_resorts_stand(envelope) if each.fails and "PUMP-SHARE" in each.name}


def test_without_it_no_fail_safe_vector_can_be_proved() -> None:
    assert failing() == {"failsafe/COLD-HALL/PUMP-SHARE", "failsafe/FULL-COOLING/PUMP-SHARE"}


def test_with_it_each_vector_is_held_to_it() -> None:
    assert failing(if_unknown=20) == set()
    assert failing(if_unknown=15) == {"failsafe/FULL-COOLING/PUMP-SHARE"}
