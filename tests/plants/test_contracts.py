"""Every built-in plant keeps to the port's contract."""

from pathlib import Path

from controller.plants.bidding.plant import TICK_US, AdAccount
from controller.plants.bidding.settings import BiddingSettings
from controller.plants.cooling.plant import CoolingHall
from controller.plants.cooling.settings import CoolingSettings
from controller.plants.push.plant import Pushed
from controller.plants.push.settings import PushedCost, PushedGuard, PushSettings
from controller.ports import Plant
from controller.settings import FilesSettings, Site, load_site
from controller.testing.plants import PlantContract, SimulatedPlantContract
from safety.loading.spec import load_envelope
from safety.values import Observation, Proposal, Setpoints, Signal, Source
from simulators.cooling.simulation import start_setpoints
from simulators.cooling.world.signals import setpoint_specs
from tests.paths import ROOT

SITES = ROOT / "deploy" / "sites"
PUSH = PushSettings(
    cost=PushedCost(name="energy", unit="kWh", label="Energy", per_hour_signal="power_kw"),
    guards=[PushedGuard(name="warm", unit="K min", label="Too warm", signals=["outdoor_c"], above=10.0)],
    covariate_signals=["outdoor_c"],
)
PUSHED = Observation("hall", "", 1_700_000_000_000_000, {"power_kw": Signal(300.0), "outdoor_c": Signal(12.0)})


class TestCoolingHall(SimulatedPlantContract):
    period_us = 300_000_000

    def plant(self, folder: Path) -> Plant:
        site = load_site(SITES / "demo")
        envelope = load_envelope(site.folder / "envelope.toml")
        settings = site.plant_settings("cooling", CoolingSettings)
        return CoolingHall(site, settings, envelope, seed=1, snapshot=folder / "plant.sqlite")

    def setpoints(self) -> Setpoints:
        row = start_setpoints(4, 1)[0].tolist()
        begins = dict(zip([spec.name for spec in setpoint_specs(4)], row, strict=True))
        return {**begins, "fan_z1_frac": 0.9}


class TestAdAccount(SimulatedPlantContract):
    period_us = TICK_US

    def plant(self, folder: Path) -> Plant:
        site = load_site(SITES / "bidding-demo")
        envelope = load_envelope(site.folder / "envelope.toml")
        settings = site.plant_settings("bidding", BiddingSettings)
        return AdAccount(site, settings, envelope, seed=1, snapshot=folder / "plant.sqlite")

    def setpoints(self) -> Setpoints:
        return {f"multiplier_c{i}": 1.0 + 0.1 * i for i in range(6)}


class TestPushed(PlantContract):
    period_us = 300_000_000

    def plant(self, folder: Path) -> Plant:
        plant = Pushed(_pushing(folder), PUSH, load_envelope(SITES / "demo" / "envelope.toml"))
        plant.ask(PUSHED, Proposal(Source.INCUMBENT, {"supply_air_c": 20.0}))
        return plant

    def setpoints(self) -> Setpoints:
        return {"supply_air_c": 21.0}

    def pass_time(self, plant: Plant, us: int) -> None:
        assert isinstance(plant, Pushed)
        later = Observation("hall", "", plant.observe().taken_at + us, PUSHED.signals)
        plant.ask(later, Proposal(Source.INCUMBENT, {"supply_air_c": 20.0}))


def _pushing(folder: Path) -> Site:
    """A site whose plant keeps its own loop."""
    settings = load_site(SITES / "demo").settings
    plant = settings.plant.model_copy(update={"kind": "push", "simulated": False})
    changed = settings.model_copy(update={"plant": plant, "files": FilesSettings()})
    return Site(folder=folder, settings=changed, digest="0" * 64)
