"""Named scenarios: which campaigns, how tight, what goes wrong; and seeds that never meet.

A scenario is data; `build.py` turns it into parameters. A seed belongs to a split, and so does the season it is flown in.
"""

from dataclasses import dataclass, replace
from typing import Literal

from simulators.bidding.physics.params import LAG_MAX_TICKS
from simulators.bidding.world.curves import TICKS_PER_DAY
from simulators.bidding.world.randomisation import Range, Ranges

Split = Literal["train", "validation", "test"]
SPLIT_SIZE = 1_000_000
SPLITS: dict[str, int] = {"train": 0, "validation": SPLIT_SIZE, "test": 2 * SPLIT_SIZE}

EventKind = Literal[
    "traffic", "price", "tracking", "floor", "rival", "click_farm", "billing", "notices", "duplicates", "gap"
]
Difficulty = Literal["easy", "standard", "hard"]
SharedBudget = Literal["account", "day"]


@dataclass(frozen=True, slots=True)
class Event:
    """A disturbance from tick `first_tick` to before `last_tick`; what `size` means depends on the kind:

    `traffic`, `price`: times `size`. `tracking`: the share `size` of conversion notices ever comes. `floor`: no price
    below `size` fen. `rival`: a rival bids `size` times the campaign's mean price times the impression's lift.
    `click_farm`: the segments' night mix; with this event there is no other night. `duplicates`: the share `size` of
    bills comes twice. `billing`, `notices`, `gap`: no bills, no conversion notices, no word to or from the bidder;
    `size` is not used, and what was held back comes at once when it ends.
    """

    kind: EventKind
    first_tick: int
    last_tick: int
    size: float = 1.0


@dataclass(frozen=True, slots=True)
class Segments:
    """Three kinds of traffic: shares by day and by night, click rate over the campaign's mean, conversions per click.

    Conversions are over the campaign's mean, truly and as the bidder's model predicts them.
    """

    fracs: tuple[float, float, float] = (0.5, 0.3, 0.2)
    night_fracs: tuple[float, float, float] = (0.5, 0.3, 0.2)
    click_levels: tuple[float, float, float] = (0.7, 1.1, 1.6)
    conversion_levels: tuple[float, float, float] = (0.8, 1.0, 1.3)
    predicted_levels: tuple[float, float, float] = (0.8, 1.0, 1.3)


WIDE = Ranges()
PLAIN = Segments()
# By night half the traffic clicks 5.6 times as often and buys next to nothing, and the bidder's model does not know it.
CLICKBAIT = Segments((0.6, 0.4, 0.0), (0.3, 0.2, 0.5), (0.8, 1.3, 5.6), (0.9, 1.1, 0.01), (0.9, 1.1, 1.0))


@dataclass(frozen=True, slots=True)
class Scenario:
    """One named world.

    `templates` are rows of `market.FACTS`, dealt to the campaigns in turn from a place drawn for each lane.
    `bait_every` n gives every n-th campaign the scenario's own `segments`, the others have plain ones (0: none).
    `shared` budgets are the account's for the flight and for each day, over all campaigns. Reports are
    `report_delay_ticks` old; a command that is not renewed holds for `command_ticks`.
    """

    name: str
    description: str
    difficulty: Difficulty = "standard"
    days: int = 1
    impressions_per_day: float = 200_000.0
    templates: tuple[int, ...] = tuple(range(9))
    ranges: Ranges = WIDE
    segments: Segments = PLAIN
    bait_every: int = 0
    first_price: bool = False
    slots: int = 1
    events: tuple[Event, ...] = ()
    shared: tuple[SharedBudget, ...] = ()
    report_delay_ticks: int = 0
    command_ticks: int = 2

    def __post_init__(self) -> None:
        for event in self.events:
            if not 0 <= event.first_tick < event.last_tick <= self.ticks or event.size < 0:
                raise ValueError(f"scenario `{self.name}`: {event} is not within the flight's {self.ticks} ticks")
        oldest = self.report_delay_ticks + max(self.silent_ticks)
        if oldest > LAG_MAX_TICKS:
            raise ValueError(
                f"scenario `{self.name}`: reports would be {oldest} ticks old in its longest gap, at most "
                f"{LAG_MAX_TICKS} are kept: shorten the gap or `report_delay_ticks`"
            )

    @property
    def ticks(self) -> int:
        """Length of the flight."""
        return self.days * TICKS_PER_DAY

    @property
    def price_taking(self) -> bool:
        """Whether no rival answers our bids; only then is there a hindsight bound."""
        return self.ranges.adaptive_gain.high == 0.0

    @property
    def silent_ticks(self) -> tuple[int, ...]:
        """For how many ticks the bidder has been cut off, each tick included [T]."""
        run, runs = 0, []
        for tick in range(self.ticks):
            run = run + 1 if self.during("gap", tick) else 0
            runs.append(run)
        return tuple(runs)

    def during(self, kind: EventKind, tick: int) -> bool:
        """Whether an event of this kind is on."""
        return any(e.kind == kind and e.first_tick <= tick < e.last_tick for e in self.events)


def _mixed(name: str, description: str, *events: Event, difficulty: Difficulty = "standard") -> Scenario:
    """The scenario `mixed` with something that goes wrong."""
    return Scenario(name, description, difficulty, events=events)


_BAITED = Ranges(budget_frac=Range(0.1, 0.4), target_ratio=Range(0.9, 1.6))
_BAD_NIGHT = (
    Event("price", 16, 22, 1.3),
    Event("billing", 18, 24),
    Event("gap", 26, 29),
    Event("rival", 28, 48, 1.2),
    Event("tracking", 30, 36, 0.3),
    Event("duplicates", 34, 40, 0.3),
    Event("traffic", 36, 40, 2.0),
)

SCENARIOS: dict[str, Scenario] = {
    s.name: s
    for s in (
        Scenario(
            "easy",
            "the middle of every range, no noise of traffic or prices",
            "easy",
            ranges=replace(WIDE.width(0.0), traffic_noise=Range(0.0, 0.0), price_noise=Range(0.0, 0.0)),
        ),
        Scenario("mixed", "nine campaigns, budgets and targets anywhere between tight and loose"),
        Scenario(
            "budget-bound",
            "the budget binds, the target does not",
            ranges=Ranges(budget_frac=Range(0.08, 0.3), target_ratio=Range(1.6, 2.4)),
        ),
        Scenario(
            "cpa-bound",
            "the target binds, the budget does not",
            ranges=Ranges(budget_frac=Range(0.6, 1.0), target_ratio=Range(0.45, 0.75)),
        ),
        Scenario(
            "first-price",
            "every win is paid at its bid",
            first_price=True,
            ranges=Ranges(budget_frac=Range(0.2, 0.6)),
        ),
        Scenario("week", "one budget for seven days with a weekly curve", days=7, impressions_per_day=50_000.0),
        Scenario("shared", "an account budget that does not hold all campaigns' budgets", shared=("account",)),
        Scenario(
            "shared-week",
            "seven days, an account budget for the flight and one for each day",
            "hard",
            days=7,
            impressions_per_day=50_000.0,
            shared=("account", "day"),
        ),
        Scenario("slots", "three slots at generalised second price", slots=3),
        Scenario(
            "adaptive",
            "rivals who raise their prices as we win more",
            "hard",
            ranges=Ranges(adaptive_gain=Range(0.1, 0.1)),
        ),
        Scenario(
            "clickbait",
            "in every second campaign half of the night's traffic clicks 5.6 times as often and does not convert",
            bait_every=2,
            segments=CLICKBAIT,
            ranges=_BAITED,
        ),
        Scenario(
            "click-farm",
            "from 14:00 to 20:00 half of every campaign's traffic is a click farm",
            "hard",
            bait_every=1,
            segments=CLICKBAIT,
            ranges=_BAITED,
            events=(Event("click_farm", 28, 40),),
        ),
        _mixed(
            "shocks",
            "prices up by half at noon, then traffic halves, then a tracking outage",
            Event("price", 20, 30, 1.5),
            Event("traffic", 30, 38, 0.5),
            Event("tracking", 34, 44, 0.0),
        ),
        _mixed("billing-outage", "no bill comes from 10:00 to 16:00, then all at once", Event("billing", 20, 32)),
        _mixed("duplicate-storm", "half of all bills come twice from 09:00 to 18:00", Event("duplicates", 18, 36, 0.5)),
        _mixed("late-conversions", "no conversion is reported from 08:00 to 18:00, then all", Event("notices", 16, 36)),
        _mixed("traffic-spike", "three times the traffic from 12:00 to 14:00", Event("traffic", 24, 28, 3.0)),
        _mixed("competitor", "from 11:00 on a rival bids by value, as we do", Event("rival", 22, 48, 1.5)),
        _mixed("floor-change", "from 12:00 on no impression is sold below 60 fen CPM", Event("floor", 24, 48, 60.0)),
        _mixed("network-gap", "cut off from 12:00 to 14:00 and for half an hour twice", *(
            Event("gap", first, last) for first, last in ((14, 15), (24, 28), (36, 37))
        )),
        Scenario(
            "late-reports",
            "reports are an hour old and their counts off by 5 %",
            "hard",
            report_delay_ticks=2,
            ranges=Ranges(report_noise=Range(0.05, 0.05)),
        ),
        Scenario(
            "hard",
            "shared budget, late and noisy reports, slow bills, a wrong model, and a bad day",
            "hard",
            shared=("account",),
            report_delay_ticks=1,
            events=_BAD_NIGHT,
            ranges=Ranges(
                price_noise=Range(0.1, 0.25),
                report_noise=Range(0.03, 0.05),
                prediction_log_sd=Range(0.1, 0.3),
                bill_delay_s=Range(300.0, 1800.0),
                win_delay_s=Range(5.0, 60.0),
                unrendered_frac=Range(0.05, 0.2),
                duplicate_frac=Range(0.001, 0.02),
                over_bid_frac=Range(0.0, 0.1),
            ),
        ),
    )
}  # fmt: skip


def scenario(name: str) -> Scenario:
    """The scenario of that name; raises `ValueError` for an unknown one."""
    if name not in SCENARIOS:
        raise ValueError(f"unknown bidding scenario `{name}`: choose one of {sorted(SCENARIOS)}")
    return SCENARIOS[name]


def split_seed(split: str, index: int) -> int:
    """The `index`-th seed of a split; splits are disjoint ranges of a million seeds each."""
    if split not in SPLITS:
        raise ValueError(f"unknown split `{split}`: choose one of {sorted(SPLITS)}")
    if not 0 <= index < SPLIT_SIZE:
        raise ValueError(f"seed index {index} is outside [0, {SPLIT_SIZE})")
    return SPLITS[split] + index


def split_of(seed: int) -> str:
    """The split a seed belongs to; seeds beyond the three are for training."""
    return next((name for name, first in SPLITS.items() if first <= seed < first + SPLIT_SIZE), "train")


def resized(world: Scenario, impressions_per_day: float) -> Scenario:
    """The same scenario with another amount of traffic per campaign."""
    return replace(world, impressions_per_day=impressions_per_day)
