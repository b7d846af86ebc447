"""The batch's ramp is the envelope's ramp."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.learning.batched_ramp import limits_of
from controller.plants.cooling.training.training_site import CoolingTrainingSite
from safety.envelope import fresh_memory
from safety.ramp import ramp
from safety.rules.base import Situation
from safety.values import Signal

CALM = {
    "room_dew_point_c": Signal(10.0),
    "chws_temp_c": Signal(10.0),
    "chw_flow_kg_s": Signal(20.0),
    "outdoor_wet_bulb_c": Signal(10.0),
    **{f"inlet_z{zone}_c": Signal(24.0) for zone in range(1, 5)},
}


@settings(max_examples=60, derandomize=True, deadline=None)
@given(data=st.data())
def test_the_batch_ramps_as_the_kernel_does(site: CoolingTrainingSite, data: st.DataObject) -> None:
    limits, envelope = limits_of(site.envelope), site.envelope
    here = [data.draw(st.floats(low, high)) for low, high in zip(limits.low, limits.high, strict=True)]
    there = [data.draw(st.floats(low, high)) for low, high in zip(limits.low, limits.high, strict=True)]
    here[-1], there[-1] = data.draw(st.sampled_from([1.0, 2.0])), data.draw(st.sampled_from([1.0, 2.0]))
    periods = data.draw(st.integers(0, 5))
    waited_us = periods * envelope.period_us
    states = {rule: (float(waited_us),) * len(state) for rule, state in fresh_memory(envelope).rules.items()}
    now = Situation(CALM, dict(zip(limits.names, here, strict=True)), None, envelope.period_us / 1e6, states)
    wanted = ramp(dict(zip(limits.names, there, strict=True)), now, envelope.ramp_plan).step
    ours = limits.ramp(np.array([there]), np.array([here]), np.array([[float(periods)] * len(here)]))
    assert ours[0].tolist() == pytest.approx([wanted[name] for name in limits.names], abs=1e-6)


def test_the_demos_outputs_lie_inside_its_bounds(site: CoolingTrainingSite, tensors: object) -> None:
    limits = limits_of(site.envelope)
    for i, output in enumerate(tensors.outputs):  # type: ignore[attr-defined]
        assert output.setpoint == limits.names[i]
        assert limits.low[i] <= output.centre - output.scale
        assert output.centre + output.scale <= limits.high[i]
