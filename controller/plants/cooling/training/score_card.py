"""What a year of one controller came to, in the numbers a reviewer compares."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulators.cooling.episode import Measured
from simulators.cooling.world.scenario import SPLITS

Floats = NDArray[np.float64]
WEEKS = 52
HOT_C, BREACH_C = 27.0, 32.0
_STEP_MINUTES = 5.0


@dataclass(slots=True)
class Score:
    """What one controller's year came to, per week [weeks]."""

    controller: str
    energy_kwh: Floats = field(default_factory=lambda: np.zeros(WEEKS))
    it_kwh: Floats = field(default_factory=lambda: np.zeros(WEEKS))
    hot_degree_minutes: Floats = field(default_factory=lambda: np.zeros(WEEKS))
    hottest_c: float = -np.inf
    breach_steps: int = 0
    vetoes: Counter[str] = field(default_factory=Counter)
    """Proposals refused, by the rule first out."""
    removals: Counter[str] = field(default_factory=Counter)
    """Ticks on which a state rule took the plant away, by rule."""
    unusual: int = 0
    """Ticks whose novelty was above 1 or not known."""
    waited: int = 0
    ticks: int = 0

    def add(self, measured: Measured) -> None:
        """One control step of every week."""
        hottest = np.maximum.reduce(measured.inlet_max_c, axis=1)
        self.energy_kwh += measured.cooling_kwh
        self.it_kwh += measured.it_kwh
        self.hot_degree_minutes += _STEP_MINUTES * np.maximum(hottest - HOT_C, 0.0)
        self.hottest_c = max(self.hottest_c, float(hottest.max()))
        self.breach_steps += int(np.sum(hottest > BREACH_C))
        self.ticks += len(hottest)

    def summary(self, against: "Score", held_out: NDArray[np.bool_]) -> dict[str, float]:
        """The year in a line of numbers; savings are shares of the energy of `against`."""
        line = {
            "energy_kwh": float(np.sum(self.energy_kwh)),
            "energy_share_of_it": float(np.sum(self.energy_kwh) / np.sum(self.it_kwh)),
            "hot_degree_minutes": float(np.sum(self.hot_degree_minutes)),
            "hottest_c": self.hottest_c,
            "breach_steps": float(self.breach_steps),
            "veto_frac": sum(self.vetoes.values()) / self.ticks,
            "removed_frac": sum(self.removals.values()) / self.ticks,
            "novelty_frac": self.unusual / self.ticks,
            "waiting_frac": self.waited / self.ticks,
            "saving_frac": _saving(self, against, np.ones(WEEKS, dtype=np.bool_)),
            "saving_held_out_frac": _saving(self, against, held_out),
        }
        return {name: round(value, 5) for name, value in line.items()}


def held_out_weeks() -> NDArray[np.bool_]:
    """Mask of the weeks of the year that are not in the training split [52]."""
    return np.array([week % 5 not in SPLITS["train"] for week in range(WEEKS)])


def shown(table: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """The table as text, one line for each seed and controller."""
    lines = [
        f"{'seed':6}{'controller':13}{'MWh':>8}{'of IT':>8}{'saving':>9}{'held out':>10}{'hottest C':>11}"
        f"{'K min >27':>11}{'refused':>9}{'removed':>9}{'unusual':>9}{'waiting':>9}"
    ]
    for seed, rows in table.items():
        for controller, row in rows.items():
            lines.append(
                f"{seed:6}{controller:13}{row['energy_kwh'] / 1000:8.1f}{row['energy_share_of_it']:8.4f}"
                f"{row['saving_frac']:9.2%}{row['saving_held_out_frac']:10.2%}{row['hottest_c']:11.2f}"
                f"{row['hot_degree_minutes']:11.1f}{row['veto_frac']:9.3%}{row['removed_frac']:9.3%}{row['novelty_frac']:9.3%}{row['waiting_frac']:9.3%}"
            )
    return "\n".join(lines)


def mean_of(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean over seeds of one controller's numbers; of `hottest_c` the highest."""
    return {
        name: round(
            max(row[name] for row in rows) if name == "hottest_c" else sum(r[name] for r in rows) / len(rows), 5
        )
        for name in rows[0]
    }


def _saving(score: Score, against: Score, weeks: NDArray[np.bool_]) -> float:
    return float(1.0 - np.sum(score.energy_kwh[weeks]) / np.sum(against.energy_kwh[weeks]))
