"""Published performance curves: three chillers and one cooling tower.

Chiller coefficients: NREL EnergyPlus data set `Chillers.idf` (CoolTools chillers), Chiller:Electric:EIR.
Tower coefficients: York International, as in EnergyPlus' CoolingTower:VariableSpeed (YorkCalc).
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

Quadratic: TypeAlias = tuple[float, float, float]
"""c1 + c2 x + c3 x^2."""
Biquadratic: TypeAlias = tuple[float, float, float, float, float, float]
"""c1 + c2 x + c3 x^2 + c4 y + c5 y^2 + c6 x y."""


@dataclass(frozen=True, slots=True)
class ChillerCurves:
    """An electric chiller by its energy-input-ratio curves.

    `capacity` and `input_ratio` are the six coefficients of a biquadratic in leaving chilled water x [C] and entering
    condenser water y [C]; `part_load` the three of a quadratic in part-load ratio. Outside the stated ranges the curves
    are meaningless (a chiller better than Carnot), so x and y are clamped to them.
    """

    name: str
    reference_kw: float
    reference_cop: float
    reference_leaving_c: float
    reference_entering_c: float
    leaving_range_c: tuple[float, float]
    entering_range_c: tuple[float, float]
    part_load_range: tuple[float, float]
    capacity: Biquadratic
    input_ratio: Biquadratic
    part_load: Quadratic


CARRIER_19XR = ChillerCurves(
    name="Carrier 19XR 742kW/5.42COP/VSD",
    reference_kw=742.0,
    reference_cop=5.42,
    reference_leaving_c=5.56,
    reference_entering_c=21.11,
    leaving_range_c=(5.56, 10.0),
    entering_range_c=(11.25, 23.89),
    part_load_range=(0.19, 1.02),
    capacity=(0.9797101, -0.002895701, -0.0008970718, 0.01031440, -0.0007431651, 0.001453508),
    input_ratio=(0.9946139, -0.04829399, 0.0004674277, -0.001158726, 0.0005762583, 0.0002148192),
    part_load=(0.1202277, 0.1396384, 0.7394038),
)

CARRIER_23XL = ChillerCurves(
    name="Carrier 23XL 724kW/6.04COP/Vanes",
    reference_kw=724.0,
    reference_cop=6.04,
    reference_leaving_c=5.56,
    reference_entering_c=21.11,
    leaving_range_c=(5.56, 10.0),
    entering_range_c=(13.75, 23.89),
    part_load_range=(0.19, 1.04),
    capacity=(0.4418712, -0.08384251, -0.002190707, 0.08594633, -0.003322575, 0.006652189),
    input_ratio=(0.5059102, -0.01621557, 0.0003346388, 0.02350906, 0.0003514201, -0.0006342981),
    part_load=(0.1879418, 0.3562862, 0.4540392),
)

MCQUAY_WSC = ChillerCurves(
    name="McQuay WSC 816kW/6.74COP/Vanes",
    reference_kw=816.0,
    reference_cop=6.74,
    reference_leaving_c=8.89,
    reference_entering_c=26.67,
    leaving_range_c=(7.22, 12.78),
    entering_range_c=(12.78, 26.67),
    part_load_range=(0.09, 1.03),
    capacity=(0.9862590, 0.05799373, -0.005355626, -0.0008941705, -0.001670098, 0.004733054),
    input_ratio=(0.7335321, 0.0004465107, -0.003448575, 0.003770822, -0.0002189675, 0.002400267),
    part_load=(0.3070136, 0.08654874, 0.6081551),
)

CHILLERS = {"A": CARRIER_19XR, "B": CARRIER_23XL, "C": MCQUAY_WSC}

YORKCALC = np.array(
    (
        -0.359741205, -0.055053608, 0.0023850432,
        0.173926877, -0.0248473764, 0.00048430224,
        -0.005589849456, 0.0005770079712, -1.342427256e-5,
        2.84765801111111, -0.121765149, 0.0014599242,
        1.680428651, -0.0166920786, -0.0007190532,
        -0.025485194448, 4.87491696e-5, 2.719234152e-5,
        -0.0653766255555556, -0.002278167, 0.0002500254,
        -0.0910565458, 0.00318176316, 3.8621772e-5,
        -0.0034285382352, 8.56589904e-6, -1.516821552e-6,
    )
).reshape(3, 3, 3)  # fmt: skip
"""Approach [K] = sum C[l, r, w] Twb^w Tr^r LG^l; Twb -34.4..26.67 C, Tr 1.11..22.2 K, LG <= 8. EnergyPlus Engineering
Reference, CoolingTower:VariableSpeed, YorkCalc."""

TOWER_FAN_POWER: tuple[float, float, float, float] = (-0.00931516, 0.0512334, -0.0838365, 1.0419182)
"""Share of the rated fan power [1] as a cubic in the air flow share [1]. EnergyPlus example of the same tower."""
