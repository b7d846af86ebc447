"""The walk of one training run names files that exist, each once, and leaves out none that training imports."""

import re

from tests.docs.pages import ROOT
from tests.test_layout import closure

PAGE = ROOT / "docs" / "explanation" / "walk-one-training-run.md"
STEPS = re.findall(r"^(\d+)\. `([\w/]+\.py)`", PAGE.read_text(), re.MULTILINE)
NAMED = [name for _, name in STEPS]


def test_the_steps_are_numbered_in_order() -> None:
    assert [int(number) for number, _ in STEPS] == list(range(1, len(STEPS) + 1))
    assert len(STEPS) > 30


def test_every_file_of_the_walk_exists_and_is_named_once() -> None:
    assert [name for name in NAMED if not (ROOT / name).is_file()] == []
    assert sorted(re.findall(r"`([\w/]+\.py)`", PAGE.read_text())) == sorted(set(NAMED))


def test_the_walk_names_every_training_file_that_a_run_imports() -> None:
    imported = closure("controller.learning.train") | closure("controller.plants.cooling.training.training_site")
    files = {f"{name.replace('.', '/')}.py" for name in imported if name.startswith("controller.")}
    training = {name for name in files if "/learning/" in name or "/training/" in name}
    assert training - set(NAMED) == set()
