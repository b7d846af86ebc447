"""The entry point of the advertiser account. What it needs is imported when a plant is built: others ask the kind itself only."""

from controller.plants.bidding.settings import BiddingSettings
from controller.plants.registry import BuiltPlant, PlantContext, PlantKind


def build(context: PlantContext, settings: BiddingSettings) -> BuiltPlant:
    """The simulated advertiser account, with PID pacing in charge of it and its twins beside it."""
    from controller.plants.bidding.incumbent import Pacing
    from controller.plants.bidding.plant import AdAccount
    from controller.plants.twins import Twins

    snapshot = context.state / "plant.sqlite"
    account = AdAccount(context.site, settings, context.envelope, seed=context.seed, snapshot=snapshot)
    twins = Twins(account, context.envelope, Pacing(settings.campaigns))
    return BuiltPlant(account, Pacing(settings.campaigns), account.lanes, account.close, twins)


KIND = PlantKind(BiddingSettings, ("pid_pacing",), build)
