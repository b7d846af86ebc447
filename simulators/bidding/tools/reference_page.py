"""The reference page of bidding, written from the code it describes.

python -m simulators.bidding.tools.reference_page docs/reference
"""

import sys
from dataclasses import fields
from pathlib import Path

from simulators.bidding.world.randomisation import Ranges
from simulators.bidding.world.scenario import SCENARIOS, SPLITS
from simulators.bidding.world.seasons import SEASONS
from simulators.bidding.world.signals import setpoint_specs, signal_specs

FEATURE_TEXT = {
    "time_left": "share of the flight to come",
    "budget_left": "available over budget, or what is left of the tightest shared budget if that is less",
    "bid_all": "mean bid over the cap, flight so far",
    "bid_recent": "the same, three ticks",
    "price_all": "mean price of a win over the cap, flight so far",
    "price_recent": "the same, three ticks",
    "value_all": "mean predicted worth at target over the cap, flight so far",
    "value_recent": "the same, three ticks",
    "value_last": "the same, one tick",
    "conversions_all": "noticed conversions per tick over those the budget buys at target, flight so far",
    "conversions_recent": "the same, three ticks",
    "win_all": "wins over requests, flight so far",
    "win_recent": "the same, three ticks",
    "traffic_last": "requests of the last tick over the mean so far",
    "traffic_recent": "the same, three ticks",
    "traffic_all": "ln(1 + requests so far) / 20",
}

REWARD_TEXT = {
    "score": "gain in E[conv] · min(1, (K/CPA)²); an episode's rewards add up to its score",
    "expected": "gain in expected conversions",
    "conversions": "conversions of the tick's impressions, as drawn",
    "clicks": "clicks at the mean predicted conversions per click (what clickbait hacks)",
}

EVENT_TEXT = {
    "traffic": "traffic times `size`; plans and budgets do not know",
    "price": "prices times `size`",
    "tracking": "the share `size` of conversion notices ever comes",
    "floor": "nothing is sold below `size` fen CPM",
    "rival": "a rival bids `size` times the campaign's mean price times the impression's lift: dearer where it is better",
    "click_farm": "the scenario's night mix of segments; there is then no other night",
    "billing": "no bill comes and no reservation expires; at the end all at once",
    "notices": "no conversion is reported; at the end all at once",
    "duplicates": "the share `size` of bills comes twice; each is charged once",
    "gap": "no report reaches the bidder and no command the exchange; the last command holds until it expires",
}

RANGE_TEXT = {
    "budget_frac": "budget over the cost of winning everything winnable",
    "target_ratio": "target over the mean price of a conversion when winning everything",
    "shared_frac": "a shared budget over the sum of its campaigns' (where a scenario has one)",
    "price_scale": "prices, over the template's",
    "win_scale": "win rate at the bid cap, over the template's",
    "click_scale": "click rate, over the template's",
    "conversion_scale": "conversions per click, over the template's",
    "volume_scale": "requests, over the scenario's",
    "peak_to_trough": "busiest tick of a day over the quietest",
    "click_peak_to_trough": "the same of the click rate",
    "curve_mix": "blend of two traffic curves of the split",
    "year_swing": "half-width of prices and traffic over the year (assumption)",
    "value_log_sd": "spread of the click rate within a segment",
    "price_corr": "correlation of value and price, before floors dilute it",
    "prediction_log_sd": "how wrong the bidder's model is, by segment",
    "traffic_noise": "half-width of each two hours' traffic",
    "price_noise": "log-sd of each two hours' price level (assumption)",
    "report_noise": "log-sd of reported counts",
    "conversion_delay_ticks": "mean delay of a conversion (assumption)",
    "bill_delay_s": "mean delay of a bill",
    "win_delay_s": "mean delay of a win notice",
    "unrendered_frac": "wins that are never shown nor billed",
    "duplicate_frac": "bills that come twice",
    "over_bid_frac": "bills above the bid, on campaigns 3358, 3427 and 3476",
    "adaptive_gain": "how fast rivals answer our wins; above 0 there is no bound",
}

HEAD = """# Bidding: signals, features, scenarios, ranges

Written by `python -m simulators.bidding.tools.reference_page docs/reference`; do not edit.

Results of the incumbents: [bidding-results.md](bidding-results.md). How it works:
[the bidding simulator](../explanation/bidding-simulator.md).
"""

SPEED = """## Speed

`python benchmarks/bidding_step.py` prints requests per second (offered, and drawn one by one) against a plain Python loop
in the same run, and the cost per campaign from 1 to 10,000 campaigns. Measured: [benchmarks.md](benchmarks.md).
"""


def table(head: str, rows: list[str]) -> str:
    """A Markdown table; columns whose name ends in `:` are aligned to the right."""
    names = [name.strip() for name in head.split("|")]
    rule = "|".join("--:" if name.endswith(":") else "---" for name in names)
    return "\n".join([f"| {' | '.join(name.rstrip(':') for name in names)} |", f"|{rule}|", *rows]) + "\n"


def _described(texts: dict[str, str], what: str) -> str:
    """Name and meaning."""
    return table(f"{what} | meaning", [f"| `{name}` | {text} |" for name, text in texts.items()])


def _signals() -> str:
    """Signals and setpoints of one campaign."""
    signals = [
        f"| `{s.name.removesuffix('_c0')}` | {s.unit} | {s.low:g} .. {s.high:g} | {_text(s.description)} |"
        for s in signal_specs(1)
    ]
    setpoints = [
        f"| `multiplier_c<i>` | {s.unit} | {s.low:g} .. {s.high:g} | {_text(s.description)} |"
        for s in setpoint_specs(1)
    ]
    return (
        "## Signals\n\n"
        "`observe(state, params)` and `Exchange.signals()` name them `<signal>_c<i>` for campaign i. All are as\n"
        "old as the scenario's reports.\n\n"
        + table("signal | unit | range | meaning", signals)
        + "\n## Setpoints\n\n"
        + table("setpoint | unit | range | meaning", setpoints)
    )


def _text(description: str) -> str:
    """The description without its campaign."""
    return description.removeprefix("campaign 0: ")


def _splits() -> str:
    """Seeds, weeks and curves of the splits."""
    rows = [
        f"| `{name}` | {first:,} .. {first + 999_999:,} | {season.weeks[0]} .. {season.weeks[1]} | "
        f"{', '.join(curve.name for curve in season.curves)} |"
        for (name, first), season in zip(SPLITS.items(), SEASONS.values(), strict=True)
    ]
    return (
        "## Splits\n\n"
        "A seed belongs to a split, and the split says in which weeks of the year and under which regions'\n"
        "traffic curves it is flown. Splits share none of them.\n\n"
        + table("split | seeds | weeks of the year | traffic curves (intraday and weekly)", rows)
    )


def _scenarios() -> str:
    """All named worlds."""
    rows = [
        f"| `{s.name}` | {s.difficulty} | {s.days} | {s.impressions_per_day:,.0f} | {', '.join(s.shared) or '-'} | "
        f"{'yes' if s.price_taking else 'no'} | {s.description} |"
        for s in SCENARIOS.values()
    ]
    return (
        "## Scenarios\n\n"
        "Every scenario can be flown in every split. Only where rivals do not answer our bids (price-taking) is there a\n"
        "hindsight bound.\n\n"
        + table(
            "scenario | difficulty | days: | requests a day per campaign: | shared budgets | price-taking | what it is",
            rows,
        )
    )


def _ranges() -> str:
    """Every randomised parameter."""
    rows = []
    for field in fields(Ranges):
        r = getattr(Ranges(), field.name)
        rows.append(f"| `{field.name}` | {r.kind} | {r.low:g} | {r.high:g} | {RANGE_TEXT[field.name]} |")
    return (
        "## Randomisation ranges\n\n"
        "`Ranges` in `simulators/bidding/world/randomisation.py`; a scenario may have its own, and `read_ranges(path)` reads\n"
        "them from the `[randomisation.parameter.<name>]` tables of a `training.toml` (kinds `uniform` and `log_uniform` with\n"
        "`low` and `high`, `normal` with `mean` and `sd`, `lognormal` with `median` and `relative_sd`, `fixed` with `value`),\n"
        "as `deploy/sites/bidding-demo/training.toml` does for all of them. `Ranges.width(share)`\n"
        "narrows all around their middles and `grow(share, score_frac)` widens them while a policy copes. Scales multiply\n"
        "one of the nine real campaigns.\n\n" + table("parameter | kind | low: | high: | what it is", rows)
    )


def page() -> str:
    """The whole page."""
    features = (
        "## The sixteen features\n\n"
        "`BiddingEnv` and `BiddingVectorEnv` observe these for each campaign in a row, clipped to [0, 10].\n"
        "An action is one number in [-1, 1] per campaign: multiplier = 8^action.\n\n"
        + _described(FEATURE_TEXT, "feature")
    )
    rewards = (
        "## Rewards\n\n"
        "One unit is what the whole budget buys at target; an environment's reward is the mean over its campaigns. What a\n"
        "policy makes of them where clicks are cheap: [bidding-trap.md](bidding-trap.md).\n\n"
        + _described(REWARD_TEXT, "reward")
    )
    events = "## Events\n\nDisturbances between two ticks; a scenario may have any number.\n\n" + _described(
        EVENT_TEXT, "event"
    )
    return "\n".join([HEAD, _signals(), features, rewards, _splits(), _scenarios(), events, _ranges(), SPEED])


def main() -> None:
    """Write the page into the folder given."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m simulators.bidding.tools.reference_page FOLDER")
    (Path(sys.argv[1]) / "bidding.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
