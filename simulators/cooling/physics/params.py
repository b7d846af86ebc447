"""Every number of the plant, with its unit, where it comes from, and how far it may plausibly lie from that.

`ZoneParams` and `PlantParams` declare the numbers once. Physics reads them as records. `PARAMETERS` lists them for
randomisation, calibration and the reference page. `Params` holds them for a batch in which each lane may be a
different plant.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from simulators.cooling.physics.curves import MCQUAY_WSC, Biquadratic, ChillerCurves, Quadratic
from simulators.cooling.physics.records import Batch, Floats, Number, dtype_of, numbers_of

REFERENCE_ZONES = 4
"""Zones of the plant that the defaults are for. [1]"""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What one parameter is: default, unit, source, and the factors between which randomisation may draw it."""

    default: float
    unit: str
    source: str
    low: float = 1.0
    high: float = 1.0
    per_zones: bool = False
    """Whether the default is for `REFERENCE_ZONES` zones and grows with their number."""


_OWN = "engineering assumption of this project"


class ZoneParams:
    """One hall with its racks and air handlers."""

    it_design_kw: Annotated[float, Parameter(250.0, "kW", "size of a hall of about 32 racks of 8 kW", 0.9, 1.1)]
    it_design_delta_k: Annotated[float, Parameter(12.0, "K", _OWN + "; servers run 10-15 K across", 0.85, 1.2)]
    it_idle_flow_frac: Annotated[
        float, Parameter(0.4, "1", "EnergyPlus ITE examples: fan share 0.4 at design", 0.8, 1.2)
    ]
    it_power_slope_frac_per_k: Annotated[float, Parameter(0.0, "1/K", "0-0.01 above 25 C; a stated sensitivity")]
    fan_rated_kw: Annotated[float, Parameter(13.0, "kW", "22.4 m3/s at 350 Pa and 60 % total efficiency", 0.85, 1.2)]
    fan_standby_frac: Annotated[float, Parameter(0.03, "1", _OWN + "; drive and controls at no flow", 0.5, 1.5)]
    fan_flow_ratio: Annotated[
        float, Parameter(1.3, "1", "CRAH air flow at full speed over IT design air flow", 0.9, 1.1)
    ]
    fan_lag_s: Annotated[float, Parameter(20.0, "s", _OWN, 0.5, 2.0)]
    leak_frac: Annotated[float, Parameter(0.03, "1", "share of IT air recirculated however much is supplied", 0.3, 2.0)]
    mixing_width_frac: Annotated[
        float, Parameter(0.30, "1", "how gradually shortage turns into recirculation", 0.6, 1.5)
    ]
    hot_spot_gain: Annotated[float, Parameter(0.8, "1", "extra recirculation seen by the hottest rack", 0.5, 1.4)]
    air_kj_per_k: Annotated[
        float, Parameter(3600.0, "kJ/K", "1,200 kg of air, times 3 for floor, trays and coils", 0.6, 1.6)
    ]
    rack_kj_per_k: Annotated[float, Parameter(10_000.0, "kJ/K", "32 racks of about 600 kg at 0.5 kJ/kgK", 0.6, 1.6)]
    rack_kw_per_k: Annotated[float, Parameter(20.0, "kW/K", "metal about 12 K above inlet at design load", 0.7, 1.4)]
    envelope_kw_per_k: Annotated[float, Parameter(0.3, "kW/K", _OWN, 0.3, 2.0)]
    mixing_kw_per_k: Annotated[
        float, Parameter(2.0, "kW/K", "about 2 kg/s of air exchanged with each neighbour", 0.2, 2.5)
    ]
    coil_ntu: Annotated[float, Parameter(1.4, "1", "UA over air heat capacity rate, both flows nominal", 0.85, 1.2)]
    coil_capacity_ratio: Annotated[
        float, Parameter(0.48, "1", "air over water heat capacity rate, both flows nominal", 0.9, 1.1)
    ]
    coil_air_resistance_frac: Annotated[
        float, Parameter(0.7, "1", "textbook; air side share of the coil's resistance", 0.9, 1.1)
    ]
    supply_lag_s: Annotated[float, Parameter(60.0, "s", "valve and coil metal", 0.6, 1.6)]


class PlantParams:
    """Water, chillers and tower of one plant, outdoor air of its halls, and the curves of its chillers."""

    chw_supply_kj_per_k: Annotated[float, Parameter(25_000.0, "kJ/K", "6 m3 of supply main and tank", 0.6, 1.6, True)]
    chw_return_kj_per_k: Annotated[float, Parameter(25_000.0, "kJ/K", "6 m3 of return main", 0.6, 1.6, True)]
    chw_design_kw_per_k: Annotated[float, Parameter(167.0, "kW/K", "40 kg/s of water", 0.9, 1.1, True)]
    chw_pump_rated_kw: Annotated[float, Parameter(9.8, "kW", "0.04 m3/s at 160 kPa and 65 %", 0.85, 1.2, True)]
    chw_pump_static_frac: Annotated[
        float, Parameter(0.35, "1", "share of head held by differential-pressure control", 0.8, 1.2)
    ]
    chw_min_flow_frac: Annotated[float, Parameter(0.2, "1", "bypass keeps this share of design flow", 0.7, 1.3)]
    chiller_scale: Annotated[float, Parameter(0.75, "1", "size over the published machine's", 0.95, 1.05, True)]
    chiller_start_s: Annotated[float, Parameter(180.0, "s", "from start to full load", 0.7, 1.5)]
    chiller_min_on_s: Annotated[
        float, Parameter(600.0, "s", _OWN + "; the machine's own timer, shorter than operators' rules", 0.5, 2.0)
    ]
    chiller_min_off_s: Annotated[
        float, Parameter(300.0, "s", _OWN + "; the machine's own rest between stop and start", 0.5, 2.0)
    ]
    cw_unit_kw_per_k: Annotated[float, Parameter(141.0, "kW/K", "34 kg/s for each chiller", 0.9, 1.1, True)]
    cw_pump_unit_kw: Annotated[
        float, Parameter(7.3, "kW", "0.034 m3/s at 140 kPa and 65 %, each chiller", 0.85, 1.2, True)
    ]
    basin_kj_per_k: Annotated[float, Parameter(25_000.0, "kJ/K", "6 m3 of basin and mains", 0.6, 1.6, True)]
    tower_fan_rated_kw: Annotated[
        float, Parameter(18.0, "kW", "0.0128 of the heat rejected at design", 0.8, 1.25, True)
    ]
    room_air_changes_per_h: Annotated[float, Parameter(0.3, "1/h", "outdoor air for people and pressure", 0.5, 2.0)]
    pressure_pa: Annotated[float, Parameter(101_325.0, "Pa", "standard atmosphere", 0.85, 1.0)]
    water_economiser_frac: Annotated[
        float, Parameter(0.0, "1", "effectiveness of the tower-water exchanger; 0: no exchanger, 0.8: usual")
    ]
    air_economiser_frac: Annotated[float, Parameter(0.0, "1", "greatest share of outdoor air; 0: no economiser")]
    air_economiser_dry_bulb_c: Annotated[
        float, Parameter(23.0, "C", "EnergyPlus 2-zone data centre: outdoor air used up to here", 0.9, 1.1)
    ]
    air_economiser_dew_point_c: Annotated[
        float, Parameter(13.5, "C", "the same model: and up to this dew point", 0.9, 1.1)
    ]
    tower_concentration: Annotated[float, Parameter(4.0, "1", "EnergyPlus default: cycles of concentration", 0.8, 1.5)]
    tower_drift_frac: Annotated[float, Parameter(0.0005, "1", "EnergyPlus default: share of the water flow", 0.5, 2.0)]

    chiller_units: Annotated[float, Number("1", 1.0)]
    """Chillers installed."""
    reference_kw: Annotated[float, Number("kW", 0.0)]
    """Cooling of the published machine at its reference conditions."""
    reference_cop: Annotated[float, Number("1", 0.0)]
    """Cooling over power there."""
    leaving_low_c: Annotated[float, Number("C")]
    """Leaving chilled water, ends of the published range."""
    leaving_high_c: Annotated[float, Number("C")]
    entering_low_c: Annotated[float, Number("C")]
    """Entering condenser water, ends of the published range."""
    entering_high_c: Annotated[float, Number("C")]
    part_load_low: Annotated[float, Number("1", 0.0, 1.0)]
    """Least part-load ratio at which a chiller runs without cycling."""
    capacity: Annotated[Biquadratic, Number("1", size=6)]
    """Capacity over the reference's, in leaving [C] and entering [C] water."""
    input_ratio: Annotated[Biquadratic, Number("1", size=6)]
    """Power over cooling at full load, over the reference's, in the same."""
    part_load: Annotated[Quadratic, Number("1", size=3)]
    """Power over that at full load, in the part-load ratio."""


def _parameters() -> dict[str, Parameter]:
    both = numbers_of(ZoneParams) | numbers_of(PlantParams)
    return {name: number for name, number in both.items() if isinstance(number, Parameter)}


PARAMETERS = _parameters()
"""Every parameter by name. Randomisation draws by the order, so a new one goes last or changes what is drawn."""


@dataclass(frozen=True, slots=True)
class Params(Batch):
    """Parameters of a batch of plants; of one lane if all are alike."""

    ZONE, PLANT = dtype_of(ZoneParams), dtype_of(PlantParams)

    chw_delay_s: float = 60.0
    """From the coils to the return main, the same for all lanes. [s]"""

    @property
    def zones(self) -> int:
        """Zones of each plant."""
        return int(self.zone.shape[1])

    def transit_slots(self, dt_s: float) -> int:
        """Sub-steps of `dt_s` [s] that heat takes from the coils to the return main."""
        return max(1, round(self.chw_delay_s / dt_s))


def default_params(zones: int = 4, chiller: ChillerCurves = MCQUAY_WSC, chiller_units: int = 2) -> Params:
    """The demo plant: halls of 250 kW each and two water-cooled chillers, scaled to any number of `zones`.

    Raises:
        ValueError: fewer than one zone.
    """
    if zones < 1:
        raise ValueError(f"`zones` is {zones}; a plant has at least one zone")
    scale = zones / REFERENCE_ZONES
    values = {name: each.default * (scale if each.per_zones else 1.0) for name, each in PARAMETERS.items()}
    return Params(*Params.records((1,), zones, chiller_units=chiller_units, **values, **_curves(chiller)))


def _curves(c: ChillerCurves) -> dict[str, Any]:
    return {
        "reference_kw": c.reference_kw,
        "reference_cop": c.reference_cop,
        "leaving_low_c": c.leaving_range_c[0],
        "leaving_high_c": c.leaving_range_c[1],
        "entering_low_c": c.entering_range_c[0],
        "entering_high_c": c.entering_range_c[1],
        "part_load_low": c.part_load_range[0],
        "capacity": c.capacity,
        "input_ratio": c.input_ratio,
        "part_load": c.part_load,
    }


def with_values(params: Params, **changes: float | Floats) -> Params:
    """The same plant with some parameters replaced, by a number for all or by `[n]` for `n` lanes.

    Raises:
        ValueError: a parameter is unknown, or numbers of lanes differ.
    """
    if unknown := sorted(set(changes) - set(PARAMETERS)):
        raise ValueError(f"unknown parameter `{unknown[0]}`; known are {', '.join(sorted(PARAMETERS))}")
    lanes = max([len(params.plant), *(len(value) for value in changes.values() if isinstance(value, np.ndarray))])
    zone, plant = np.broadcast_to(params.zone, (lanes, params.zones)), np.broadcast_to(params.plant, (lanes,))
    whole = replace(params, zone=zone, plant=plant)
    columns = {name: _column(name, value) for name, value in changes.items()}
    return whole.replaced(**columns)


def _column(name: str, value: float | Floats) -> float | Floats:
    """A value of each lane, to be written to all its zones where it is one of zones."""
    return value[:, None] if isinstance(value, np.ndarray) and name in (Params.ZONE.names or ()) else value
