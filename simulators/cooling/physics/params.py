"""Every number of the plant, with its unit, where it comes from, and how far it may plausibly lie from that.

`DESCRIPTIONS` is the table; `Params` holds the values as arrays that broadcast against `[n, zones]` (zone values) or
`[n, 1]` (plant values), so that each lane of a batch may be a different plant.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from simulators.cooling.physics.arrays import Array
from simulators.cooling.physics.curves import MCQUAY_WSC, ChillerCurves

WATER_KJ_PER_KG_K = 4.186


@dataclass(frozen=True, slots=True)
class Params:
    """Physical parameters of a cooling plant. Zone values broadcast to `[n, zones]`, plant values to `[n, 1]`."""

    zones: int
    chiller: ChillerCurves
    it_design_kw: Array
    it_design_delta_k: Array
    it_idle_flow_frac: Array
    it_power_slope_frac_per_k: Array
    fan_rated_kw: Array
    fan_standby_frac: Array
    fan_flow_ratio: Array
    fan_lag_s: Array
    leak_frac: Array
    mixing_width_frac: Array
    hot_spot_gain: Array
    air_kj_per_k: Array
    rack_kj_per_k: Array
    rack_kw_per_k: Array
    envelope_kw_per_k: Array
    mixing_kw_per_k: Array
    coil_ntu: Array
    coil_capacity_ratio: Array
    coil_air_resistance_frac: Array
    supply_lag_s: Array
    chw_supply_kj_per_k: Array
    chw_return_kj_per_k: Array
    chw_delay_s: float
    chw_design_kw_per_k: Array
    chw_pump_rated_kw: Array
    chw_pump_static_frac: Array
    chw_min_flow_frac: Array
    chiller_scale: Array
    chiller_units: int
    chiller_start_s: Array
    chiller_min_on_s: Array
    chiller_min_off_s: Array
    cw_unit_kw_per_k: Array
    cw_pump_unit_kw: Array
    basin_kj_per_k: Array
    tower_fan_rated_kw: Array
    room_air_changes_per_h: Array
    pressure_pa: Array
    water_economiser_frac: Array
    air_economiser_frac: Array
    air_economiser_dry_bulb_c: Array
    air_economiser_dew_point_c: Array
    tower_concentration: Array
    tower_drift_frac: Array


@dataclass(frozen=True, slots=True)
class Description:
    """What one parameter is: default, unit, source, and the factors between which randomisation may draw it."""

    default: float
    unit: str
    source: str
    low: float = 1.0
    high: float = 1.0
    per_zones: bool = False


_T = "textbook"
_OWN = "engineering assumption of this project"

DESCRIPTIONS = {
    "it_design_kw": Description(250.0, "kW", "size of a hall of about 32 racks of 8 kW", 0.9, 1.1),
    "it_design_delta_k": Description(12.0, "K", _OWN + "; servers run 10-15 K across", 0.85, 1.2),
    "it_idle_flow_frac": Description(0.4, "1", "EnergyPlus ITE examples: fan share 0.4 at design", 0.8, 1.2),
    "it_power_slope_frac_per_k": Description(0.0, "1/K", "0-0.01 above 25 C; a stated sensitivity"),
    "fan_rated_kw": Description(13.0, "kW", "22.4 m3/s at 350 Pa and 60 % total efficiency", 0.85, 1.2),
    "fan_standby_frac": Description(0.03, "1", _OWN + "; drive and controls at no flow", 0.5, 1.5),
    "fan_flow_ratio": Description(1.3, "1", "CRAH air flow at full speed over IT design air flow", 0.9, 1.1),
    "fan_lag_s": Description(20.0, "s", _OWN, 0.5, 2.0),
    "leak_frac": Description(0.03, "1", "share of IT air recirculated however much is supplied", 0.3, 2.0),
    "mixing_width_frac": Description(0.30, "1", "how gradually shortage turns into recirculation", 0.6, 1.5),
    "hot_spot_gain": Description(0.8, "1", "extra recirculation seen by the hottest rack", 0.5, 1.4),
    "air_kj_per_k": Description(3600.0, "kJ/K", "1,200 kg of air, times 3 for floor, trays and coils", 0.6, 1.6),
    "rack_kj_per_k": Description(10_000.0, "kJ/K", "32 racks of about 600 kg at 0.5 kJ/kgK", 0.6, 1.6),
    "rack_kw_per_k": Description(20.0, "kW/K", "metal about 12 K above inlet at design load", 0.7, 1.4),
    "envelope_kw_per_k": Description(0.3, "kW/K", _OWN, 0.3, 2.0),
    "mixing_kw_per_k": Description(2.0, "kW/K", "about 2 kg/s of air exchanged with each neighbour", 0.2, 2.5),
    "coil_ntu": Description(1.4, "1", "UA over air heat capacity rate, both flows nominal", 0.85, 1.2),
    "coil_capacity_ratio": Description(0.48, "1", "air over water heat capacity rate, both flows nominal", 0.9, 1.1),
    "coil_air_resistance_frac": Description(0.7, "1", _T + "; air side share of the coil's resistance", 0.9, 1.1),
    "supply_lag_s": Description(60.0, "s", "valve and coil metal", 0.6, 1.6),
    "chw_supply_kj_per_k": Description(25_000.0, "kJ/K", "6 m3 of supply main and tank", 0.6, 1.6, per_zones=True),
    "chw_return_kj_per_k": Description(25_000.0, "kJ/K", "6 m3 of return main", 0.6, 1.6, per_zones=True),
    "chw_design_kw_per_k": Description(167.0, "kW/K", "40 kg/s of water", 0.9, 1.1, per_zones=True),
    "chw_pump_rated_kw": Description(9.8, "kW", "0.04 m3/s at 160 kPa and 65 %", 0.85, 1.2, per_zones=True),
    "chw_pump_static_frac": Description(0.35, "1", "share of head held by differential-pressure control", 0.8, 1.2),
    "chw_min_flow_frac": Description(0.2, "1", "bypass keeps this share of design flow", 0.7, 1.3),
    "chiller_scale": Description(
        0.75,
        "1",
        "size over the published machine's",
        0.95,
        1.05,
        per_zones=True,
    ),
    "chiller_start_s": Description(180.0, "s", "from start to full load", 0.7, 1.5),
    "chiller_min_on_s": Description(
        600.0, "s", _OWN + "; the machine's own timer, shorter than operators' rules", 0.5, 2.0
    ),
    "chiller_min_off_s": Description(300.0, "s", _OWN + "; the machine's own rest between stop and start", 0.5, 2.0),
    "cw_unit_kw_per_k": Description(141.0, "kW/K", "34 kg/s for each chiller", 0.9, 1.1, per_zones=True),
    "cw_pump_unit_kw": Description(
        7.3, "kW", "0.034 m3/s at 140 kPa and 65 %, each chiller", 0.85, 1.2, per_zones=True
    ),
    "basin_kj_per_k": Description(25_000.0, "kJ/K", "6 m3 of basin and mains", 0.6, 1.6, per_zones=True),
    "tower_fan_rated_kw": Description(18.0, "kW", "0.0128 of the heat rejected at design", 0.8, 1.25, per_zones=True),
    "room_air_changes_per_h": Description(0.3, "1/h", "outdoor air for people and pressure", 0.5, 2.0),
    "pressure_pa": Description(101_325.0, "Pa", "standard atmosphere", 0.85, 1.0),
    "water_economiser_frac": Description(0.0, "1", "effectiveness of the tower-water exchanger; 0 is none, 0.8 usual"),
    "air_economiser_frac": Description(0.0, "1", "greatest share of outdoor air; 0 is none"),
    "air_economiser_dry_bulb_c": Description(
        23.0, "C", "EnergyPlus 2-zone data centre: outdoor air used up to here", 0.9, 1.1
    ),
    "air_economiser_dew_point_c": Description(13.5, "C", "the same model: and up to this dew point", 0.9, 1.1),
    "tower_concentration": Description(4.0, "1", "EnergyPlus default: cycles of concentration", 0.8, 1.5),
    "tower_drift_frac": Description(0.0005, "1", "EnergyPlus default: share of the water flow", 0.5, 2.0),
}
"""`per_zones` values are for the reference plant of four zones and grow with the number of zones."""

REFERENCE_ZONES = 4


def default_params(zones: int = 4, chiller: ChillerCurves = MCQUAY_WSC, chiller_units: int = 2) -> Params:
    """The demo plant: halls of 250 kW each and two water-cooled chillers, scaled to any number of `zones`."""
    if zones < 1:
        raise ValueError(f"`zones` is {zones}; a plant has at least one zone")
    scale = zones / REFERENCE_ZONES
    values = {
        name: np.array([[each.default * (scale if each.per_zones else 1.0)]]) for name, each in DESCRIPTIONS.items()
    }
    return Params(zones=zones, chiller=chiller, chiller_units=chiller_units, chw_delay_s=60.0, **values)


def with_values(params: Params, **changes: float | Array) -> Params:
    """The same plant with some parameters replaced; numbers apply to every lane and zone."""
    known = {field.name for field in fields(params)}
    if unknown := sorted(set(changes) - known):
        raise ValueError(f"unknown parameter `{unknown[0]}`; known are {', '.join(sorted(known))}")
    plain = {"zones", "chiller", "chiller_units", "chw_delay_s"}
    values: dict[str, Any] = {
        name: value if name in plain or hasattr(value, "ndim") else np.array([[value]])
        for name, value in changes.items()
    }
    return replace(params, **values)
