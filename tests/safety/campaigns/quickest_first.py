"""A pytest plugin for `make mutate`: the files most likely to notice a mutant run first, the long ones last."""

import gc
from pathlib import Path

import pytest

# Unit tests by kind first; then the golden decisions, which build every envelope again; then what draws examples.
ORDER = (
    "test_phrases.py",
    "test_rules.py",
    "test_timers.py",
    "test_words.py",
    "test_when.py",
    "test_memory.py",
    "test_standing.py",
    "test_ramp_exactly.py",
    "test_envelope.py",
    "test_refusals.py",
    "test_ladder_exactly.py",
    "test_guard.py",
    "test_watched.py",
    "test_inputs.py",
    "test_handful.py",
    "test_spec.py",
    "test_kernel.py",
    "test_old_rulings.py",
    "test_decide.py",
    "test_ramp.py",
)
MANY = 30


def pytest_configure(config: pytest.Config) -> None:
    """Name files rather than hundreds of single tests: to look those up takes longer than to run them. And what a mutant's
    process has inherited is not to be searched for rubbish, which takes half of its time.
    """
    gc.freeze()
    if len(config.args) > MANY:
        config.args[:] = sorted({argument.split("::", 1)[0] for argument in config.args})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort what was collected; a file that is not listed comes last."""
    ranks = {name: rank for rank, name in enumerate(ORDER)}
    items.sort(key=lambda item: ranks.get(Path(item.path).name, len(ORDER)))
