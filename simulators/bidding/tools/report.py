"""Every incumbent on every scenario's test split, as a page and a plot.

    python -m simulators.bidding.tools.report [--seeds 10] [--campaigns 9] [--into docs/reference]

One seed is one account of nine campaigns; a seed's figure is the mean over its campaigns, and intervals are Student's t
over seeds. All seeds of a scenario fly as the lanes of one batch.
"""

import argparse
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from scipy import stats

from simulators.bidding.controllers import BidAtTarget, DualGradient, Incumbent, PidPacing, RecedingHorizon, survey
from simulators.bidding.tools.evaluate import Kpis, fly, kpis
from simulators.bidding.tools.hindsight import bound
from simulators.bidding.tools.plot import bars
from simulators.bidding.world.build import build, yesterday
from simulators.bidding.world.scenario import SCENARIOS, Scenario, split_seed
from simulators.bidding.world.streams import Noise

NAMES = ("bid at target", "PID pacing", "dual gradient", "receding horizon")
COLUMNS = ("score_frac", "account_frac", "score", "budget_use", "cpa_ratio", "pacing_error", "overspend_frac")


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over seeds and the half-width of its 95 % interval."""

    mean: float
    half: float

    def __str__(self) -> str:
        """As it stands in the table; a dash where nothing could be measured."""
        return "-" if np.isnan(self.mean) else f"{self.mean:.3f} ± {self.half:.3f}"


@dataclass(frozen=True, slots=True)
class Row:
    """One incumbent on one scenario: an interval per KPI, and the share of campaigns above their target."""

    scenario: str
    incumbent: str
    figures: dict[str, Interval]
    over_target_frac: float


def interval(per_seed: np.ndarray) -> Interval:
    """Mean and 95 % half-width of one figure per seed [s], s >= 2, by Student's t."""
    half = stats.t.ppf(0.975, len(per_seed) - 1) * per_seed.std(ddof=1) / np.sqrt(len(per_seed))
    return Interval(float(per_seed.mean()), float(half))


def measure(world: Scenario, seeds: int, campaigns: int) -> list[Row]:
    """All incumbents on one scenario; lane 0 of each of the first `seeds` test seeds."""
    indices = tuple(split_seed("test", i) for i in range(seeds))
    noise = Noise(world.name, indices, (0,) * seeds)
    params = build(world, noise, campaigns)
    best = bound(params, noise) if params.price_taking else None
    log = survey(*yesterday(world, noise, campaigns))
    policies: tuple[Incumbent, ...] = (BidAtTarget(), PidPacing(), DualGradient(), RecedingHorizon(log))
    rows = []
    for name, policy in zip(NAMES, policies, strict=True):
        found = kpis(fly(policy, params, noise), params, best)
        figures = {f.name: interval(getattr(found, f.name).mean(axis=1)) for f in fields(Kpis)}
        rows.append(Row(world.name, name, figures, float((found.cpa_ratio > 1).mean())))
    return rows


HEAD = """# Bidding: results of the incumbents

Written by `python -m simulators.bidding.tools.report`; do not edit.

Test split, {seeds} seeds, {campaigns} campaigns each; mean ± half of a 95 % interval over seeds (Student's t). A seed's
figure is the mean over its campaigns. Values are expected conversions, not drawn ones.

* **share of bound**: E[conv] · min(1, (K/CPA)²) over its hindsight bound. The bound knows every price and every value,
  which nobody can, so 1 is out of reach; in `first-price` it also pays the least that would have won, and in `slots` it
  knows which slots were shown. It does not exist where rivals answer the bids (`adaptive`).
* **account**: the sum of target times score over all campaigns, over the account's bound, which knows the shared
  budget too. In `shared`, `shared-week` and `hard` this is the figure to look at, and the plot's; a campaign's own bound
  knows of its own budget only and is then far out of reach.
* **score**: the same in expected conversions per campaign.
* **CPA ratio**: cost per expected conversion over target; **above target**: share of campaigns above 1.
* **pacing error**: root mean square, over ticks, of the spent share against the forecast's share of traffic.
* **overspend**: the most ever spent and reserved, or owed for wins, beyond the budget or a shared budget; over the
  campaign's budget.

![share of the bound by scenario and incumbent](bidding-results.svg)

| scenario | incumbent | share of bound | account | score | budget use | CPA ratio | above target | pacing error | overspend |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|
"""


def page(rows: list[Row], seeds: int, campaigns: int) -> str:
    """The reference page."""
    lines = []
    for row in rows:
        cells = [str(row.figures[name]) for name in COLUMNS]
        cells.insert(5, f"{row.over_target_frac:.0%}")
        lines.append(f"| {row.scenario} | {row.incumbent} | " + " | ".join(cells) + " |")
    head = HEAD.format(seeds=seeds, campaigns=campaigns)
    return head + "\n".join(lines) + "\n\nThe scenarios are described in [bidding.md](bidding.md).\n"


def _plotted(row: Row) -> Interval:
    """The share of the bound that counts: the account's where campaigns share a budget."""
    return row.figures["account_frac" if SCENARIOS[row.scenario].shared else "score_frac"]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="measure the bidding incumbents")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--campaigns", type=int, default=9)
    parser.add_argument("--into", type=Path, default=Path("docs/reference"))
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error("`--seeds` must be at least 2: an interval needs two")
    rows = []
    for world in SCENARIOS.values():
        rows += measure(world, options.seeds, options.campaigns)
        sys.stderr.write(f"{world.name}: {', '.join(str(_plotted(row)) for row in rows[-len(NAMES) :])}\n")
    options.into.mkdir(parents=True, exist_ok=True)
    (options.into / "bidding-results.md").write_text(page(rows, options.seeds, options.campaigns), encoding="utf-8")
    groups = {s: [_plotted(r) for r in rows if r.scenario == s] for s in SCENARIOS}
    bounded = {s: [(i.mean, i.half) for i in g] for s, g in groups.items() if not np.isnan(g[0].mean)}
    (options.into / "bidding-results.svg").write_text(
        bars(bounded, NAMES, "share of the hindsight bound"), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
