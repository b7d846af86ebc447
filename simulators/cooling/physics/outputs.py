"""What one sub-step did: temperatures at its end, flows and powers averaged over it."""

from dataclasses import dataclass
from typing import Annotated

from simulators.cooling.physics.records import Number, Row, dtype_of


class ZoneOutput:
    """What one zone did in a sub-step."""

    inlet_c: Annotated[float, Number("C")]
    """Hottest rack inlet, end of the sub-step."""
    return_c: Annotated[float, Number("C")]
    """Air returning to the coils, end of the sub-step."""
    supply_c: Annotated[float, Number("C")]
    """Air leaving the coils, end of the sub-step."""
    it_kw: Annotated[float, Number("kW", 0.0)]
    """IT power."""
    fan_frac: Annotated[float, Number("1", 0.0, 1.0)]
    """Fan speed share, failed fans counted as still."""
    fan_kw: Annotated[float, Number("kW", 0.0)]
    """Fan power."""
    coil_kw: Annotated[float, Number("kW")]
    """Heat from air to water; below zero where the water warms the air."""
    outdoor_air_kw: Annotated[float, Number("kW")]
    """Heat carried out by outdoor air."""
    water_frac: Annotated[float, Number("1", 0.0)]
    """Chilled water flow over the zone's nominal flow."""
    envelope_kw: Annotated[float, Number("kW")]
    """Heat into the zone through walls."""


class PlantOutput:
    """What one plant's water side did in a sub-step."""

    chws_c: Annotated[float, Number("C")]
    """Chilled water supply main, end of the sub-step."""
    chwr_c: Annotated[float, Number("C")]
    """Chilled water return main, end of the sub-step."""
    cws_c: Annotated[float, Number("C")]
    """Condenser water from the tower, end of the sub-step."""
    cwr_c: Annotated[float, Number("C")]
    """Condenser water to the tower, end of the sub-step."""
    chw_flow_kg_s: Annotated[float, Number("kg/s", 0.0)]
    """Chilled water flow."""
    chillers: Annotated[float, Number("1", 0.0)]
    """Chillers at load, middle of the sub-step."""
    chillers_on: Annotated[float, Number("1", 0.0)]
    """Chillers whose compressor runs."""
    chiller_load_kw: Annotated[float, Number("kW", 0.0)]
    """Heat taken out of the chilled water by chillers."""
    economiser_kw: Annotated[float, Number("kW", 0.0)]
    """Heat that the tower water takes from the chilled water directly."""
    chiller_kw: Annotated[float, Number("kW", 0.0)]
    """Chiller power."""
    chw_pump_kw: Annotated[float, Number("kW", 0.0)]
    """Chilled water pump power."""
    cw_pump_kw: Annotated[float, Number("kW", 0.0)]
    """Condenser water pump power."""
    tower_fan_frac: Annotated[float, Number("1", 0.0, 1.0)]
    """Air flow of the tower over its rated flow."""
    tower_kw: Annotated[float, Number("kW", 0.0)]
    """Tower fan power."""
    rejected_kw: Annotated[float, Number("kW")]
    """Heat given to the outdoors by the tower."""
    makeup_kg_s: Annotated[float, Number("kg/s")]
    """Water that the tower evaporates, loses as drift and blows down."""
    room_kg_kg: Annotated[float, Number("kg/kg", 0.0, 0.05)]
    """Humidity ratio of the room air."""


@dataclass(frozen=True, slots=True)
class Outputs(Row):
    """Results of `k` sub-steps in a row, or of one."""

    ZONE, PLANT = dtype_of(ZoneOutput), dtype_of(PlantOutput)
