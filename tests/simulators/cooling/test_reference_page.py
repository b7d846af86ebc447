"""The reference page names every signal, setpoint, parameter, scenario and fault."""

import pytest

from simulators.cooling.physics.params import PARAMETERS
from simulators.cooling.tools.reference_page import page
from simulators.cooling.world.faults import KINDS
from simulators.cooling.world.scenario import SCENARIOS
from simulators.cooling.world.signals import setpoint_specs, signal_specs
from tests.paths import ROOT

PAGE = ROOT / "docs" / "reference" / "cooling.md"
NAMES = {
    *(spec.name for spec in signal_specs(1)),
    *(spec.name for spec in setpoint_specs(1)),
    *PARAMETERS,
    *SCENARIOS,
    *KINDS,
}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_is_on_the_reference_page(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text().replace("_z{i}_", "_z1_")


def test_the_page_is_the_one_the_code_writes() -> None:
    assert PAGE.read_text() == page()
