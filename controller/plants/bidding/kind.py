"""The entry point of the advertiser account. What it needs is imported when a plant is built: others ask the kind itself only."""

from controller.plants.bidding.settings import BiddingSettings
from controller.plants.registry import PlantKind, PlantKit, Setting


def build(setting: Setting, settings: BiddingSettings) -> PlantKit:
    """The simulated advertiser account, with PID pacing in charge of it and its twins beside it."""
    from controller.plants.bidding.incumbent import Pacing
    from controller.plants.bidding.plant import AdAccount
    from controller.plants.twins import Twins

    snapshot = setting.state / "plant.sqlite"
    account = AdAccount(setting.site, settings, setting.envelope, seed=setting.seed, snapshot=snapshot)
    twins = Twins(account, setting.envelope, Pacing(settings.campaigns))
    return PlantKit(account, Pacing(settings.campaigns), account.lanes, account.close, twins)


KIND = PlantKind(BiddingSettings, ("pid_pacing",), build)
