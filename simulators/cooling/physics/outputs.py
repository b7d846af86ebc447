"""What one sub-step did: temperatures at its end, flows and powers averaged over it."""

from dataclasses import dataclass

from simulators.cooling.physics.arrays import Array


@dataclass(frozen=True, slots=True)
class Outputs:
    """Results of sub-steps; `[n, zones]` or `[n, 1]` from `step`, with a leading axis of sub-steps from `advance`."""

    inlet_c: Array
    """Hottest rack inlet of each zone, end of the sub-step. [C]"""
    return_c: Array
    """Air returning to the coils, end of the sub-step. [C]"""
    supply_c: Array
    """Air leaving the coils, end of the sub-step. [C]"""
    it_kw: Array
    """[kW]"""
    fan_frac: Array
    """Fan speed share, failed fans counted as still. [1]"""
    fan_kw: Array
    """[kW]"""
    coil_kw: Array
    """Heat from air to water. [kW]"""
    outdoor_air_kw: Array
    """Heat carried out by outdoor air. [kW]"""
    water_frac: Array
    """Chilled water flow of each zone over its nominal flow. [1]"""
    chws_c: Array
    """[C]"""
    chwr_c: Array
    """[C]"""
    cws_c: Array
    """[C]"""
    cwr_c: Array
    """[C]"""
    chw_flow_kg_s: Array
    """[kg/s]"""
    chillers: Array
    """Chillers at load. [1]"""
    chillers_on: Array
    """Chillers whose compressor runs. [1]"""
    chiller_load_kw: Array
    """Heat taken out of the chilled water. [kW]"""
    economiser_kw: Array
    """Heat that the tower water takes from the chilled water directly. [kW]"""
    chiller_kw: Array
    """[kW]"""
    chw_pump_kw: Array
    """[kW]"""
    cw_pump_kw: Array
    """[kW]"""
    tower_fan_frac: Array
    """[1]"""
    tower_kw: Array
    """[kW]"""
    rejected_kw: Array
    """Heat given to the outdoors by the tower. [kW]"""
    makeup_kg_s: Array
    """Water that the tower evaporates, loses as drift and blows down. [kg/s]"""
    envelope_kw: Array
    """Heat into the zones through walls. [kW]"""
    room_kg_kg: Array
    """Humidity ratio of the room air. [kg/kg]"""
