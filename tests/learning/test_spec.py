from pathlib import Path

import pytest

from controller.errors import SettingsError
from controller.learning.spec import TrainingError
from controller.plants.cooling.training.randomisation import randomisation_of
from controller.plants.cooling.training.spec import load_spec
from controller.plants.registry import training_site
from simulators.cooling.world.randomisation import Automatic, lognormal, normal, plausible, uniform
from tests.learning.conftest import DEMO
from tests.paths import ROOT


def test_the_demos_training_file_is_read() -> None:
    assert load_spec(DEMO / "training.toml").plant_kind == "cooling"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema_version = [", "is not TOML"),
        ("", "schema_version"),
    ],
)
def test_a_wrong_training_file_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "training.toml"
    path.write_text(text)
    with pytest.raises(TrainingError, match=message):
        load_spec(path)


def test_an_unknown_key_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "training.toml"
    path.write_text("speed_up = true\n" + (DEMO / "training.toml").read_text())
    with pytest.raises(TrainingError, match="speed_up"):
        load_spec(path)


def test_a_missing_training_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be read"):
        load_spec(tmp_path / "training.toml")


def test_a_site_without_a_cooling_plant_is_one_clear_error(tmp_path: Path) -> None:
    text = (DEMO / "site.toml").read_text()
    start, rest = text.split("[plant.cooling]")
    (tmp_path / "site.toml").write_text(start + "[incumbent]" + rest.split("[incumbent]")[1])
    with pytest.raises(SettingsError, match=r"needs a \[plant.cooling\] table"):
        training_site(tmp_path)


def test_a_plant_without_training_is_one_clear_error() -> None:
    with pytest.raises(SettingsError, match="plant kind `bidding` has no training"):
        training_site(ROOT / "deploy" / "sites" / "bidding-demo")


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("inlet_weight = 0.6", "inlet_wait = 0.6", "reward.inlet_w"),
        ("move_weight = 0.02", 'move_weight = "a"', "reward.move"),
    ],
)
def test_a_wrong_reward_is_named_by_its_key(tmp_path: Path, old: str, new: str, where: str) -> None:
    path = tmp_path / "training.toml"
    path.write_text((DEMO / "training.toml").read_text().replace(old, new))
    with pytest.raises(TrainingError, match=f"`{where}"):
        load_spec(path)


PLANTS = """
[randomisation]
width = 0.5

[randomisation.parameter.fan_rated_kw]
kind = "normal"
mean = 14.0
sd = 1.0

[randomisation.parameter.water_economiser_frac]
kind = "uniform"
low = 0.0
high = 0.8

[randomisation.automatic]
step = 0.2
"""


def _with(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "training.toml"
    path.write_text((DEMO / "training.toml").read_text() + text)
    return path


def test_distributions_come_from_the_training_file(tmp_path: Path) -> None:
    (tmp_path / "params.toml").write_text("[parameter.coil_ntu]\nvalue = 1.5\nrelative_sd = 0.1\n")
    text = PLANTS.replace("width = 0.5", 'width = 0.5\nparams = "params.toml"')
    spec = load_spec(_with(tmp_path, text)).randomisation
    assert spec is not None
    how = randomisation_of(spec, tmp_path)
    spreads = dict(how.spreads)
    assert how.width == 0.5
    assert how.automatic == Automatic(step=0.2)
    assert spreads["fan_rated_kw"] == normal(14.0, 1.0)
    assert spreads["water_economiser_frac"] == uniform(0.0, 0.8)
    assert spreads["coil_ntu"] == lognormal(1.5, 0.1)
    assert set(spreads) == {*plausible(), "water_economiser_frac"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("parameter.fan_rated_kw", "parameter.flux", "cannot randomise `flux`"),
        ('kind = "normal"', 'kind = "weibull"', "weibull"),
        ("low = 0.0", "low = 1.0", "swap them"),
        ("width = 0.5", "width = 1.5", "randomisation.width"),
        ("width = 0.5", 'params = "nowhere.toml"', "nowhere.toml"),
        ("step = 0.2", "shrink_at = 0.9", "shrink_at < grow_at"),
    ],
)
def test_a_wrong_randomisation_is_one_clear_error(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        load_spec(_with(tmp_path, PLANTS.replace(old, new)))
