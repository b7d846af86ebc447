"""`[plant.bidding]` of `site.toml`."""

from typing import Annotated

from pydantic import Field

from controller.settings import Number, StrictModel


class BiddingSettings(StrictModel):
    """The simulated advertiser account: which campaigns, in which world, and when its cost counts as a breach.

    `account` names the draw of the campaigns, so that runs of every seed are days of the same account. The advertiser's
    credit is what all campaigns may spend in `credit_days` days; a day may not cost more than their budgets together.
    """

    scenario: str
    account: int = Field(ge=0)
    campaigns: int = Field(ge=1, le=1000)
    impressions_per_day: Annotated[Number, Field(gt=0)]
    hard_cost_ratio: Annotated[Number, Field(ge=1)]
    hard_from_frac: Annotated[Number, Field(ge=0, le=1)]
    credit_days: Annotated[int, Field(ge=1)] = 90
