"""A floor asks for enough where a signal is high, and changes nothing elsewhere."""

import numpy as np
import pytest

from controller.learning.action_floors import floored
from controller.learning.spec import Floor, TrainingError
from controller.learning.tensors import Tensors
from controller.policies.graph import inspect
from controller.policies.server import load
from controller.protocol import policy_wire
from tests.policies.graphs import INPUTS, OUTPUTS, linear, save

TENSORS = Tensors(INPUTS, OUTPUTS, ("hall_c",), ("supply_c", "fans_on"))
HOT = Floor(setpoint="fans_on", signal="hall_c", above=30.0, value=3.0)


def answers(graph: bytes, features: np.ndarray) -> np.ndarray:
    return load(policy_wire.Load(graph, 3, 2))(features)


def test_floor_applies_only_above_its_signal_threshold() -> None:
    features = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    plain, raised = save(linear()), floored(save(linear()), TENSORS, [HOT])
    hot = features[:, 0] > 1.0  # 30 C is one scale above the centre
    before, after = answers(plain, features), answers(raised, features)
    assert 0 < hot.sum() < 200
    np.testing.assert_array_equal(after[~hot], before[~hot])
    np.testing.assert_array_equal(after[hot, 0], before[hot, 0])
    np.testing.assert_array_equal(after[hot, 1], 1.0)


def test_two_floors_combine_in_one_servable_graph() -> None:
    cold = Floor(setpoint="supply_c", signal="hall_c", above=20.0, value=20.0)
    graph = floored(save(linear()), TENSORS, [HOT, cold])
    assert inspect(graph).output_shape == (None, 2)
    after = answers(graph, np.array([[1.5, -3.0, 0.0]], dtype=np.float32))
    assert after[0, 1] == 1.0
    assert after[0, 0] >= 0.0


def test_without_floors_the_graph_answers_as_it_did() -> None:
    features = np.ones((3, 3), dtype=np.float32)
    np.testing.assert_array_equal(
        answers(floored(save(linear()), TENSORS, []), features), answers(save(linear()), features)
    )


def test_floor_on_a_signal_outside_the_features_is_refused() -> None:
    with pytest.raises(TrainingError, match="the policy has no `moon`"):
        floored(save(linear()), TENSORS, [HOT.model_copy(update={"signal": "moon"})])
