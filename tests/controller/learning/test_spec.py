from pathlib import Path

import pytest

from controller.learning.ground import ground_of
from controller.learning.spec import TrainingError, load_training
from tests.controller.learning.conftest import DEMO


def test_the_demos_training_file_is_read() -> None:
    assert load_training(DEMO / "training.toml").plant_kind == "cooling"


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
        load_training(path)


def test_an_unknown_key_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "training.toml"
    path.write_text("speed_up = true\n" + (DEMO / "training.toml").read_text())
    with pytest.raises(TrainingError, match="speed_up"):
        load_training(path)


def test_a_missing_training_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be read"):
        load_training(tmp_path / "training.toml")


def test_a_site_without_a_cooling_plant_is_one_clear_error(tmp_path: Path) -> None:
    text = (DEMO / "site.toml").read_text()
    start, rest = text.split("[plant.cooling]")
    (tmp_path / "site.toml").write_text(start + "[incumbent]" + rest.split("[incumbent]")[1])
    with pytest.raises(TrainingError, match="only the cooling plant can be trained for yet"):
        ground_of(tmp_path)
