"""`understudy train | evaluate`: the only commands that need the [train] extra."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.options import DEMO, SiteOption
from controller.errors import SettingsError

FIRST_SEED = 101
"""Of the disturbances that bundles are evaluated on; training has others."""


def train(
    out: Annotated[Path, typer.Option(help="Folder of the new bundle.")],
    seed: Annotated[int, typer.Option(help="Names the whole training run.")] = 1,
    site: SiteOption = DEMO,
) -> None:
    """Train a candidate on the site's simulated plant, export and sign it."""
    _needs_torch()
    from controller.learning.train import train_candidate
    from controller.plants.registry import training_site

    train_candidate(training_site(site), out, seed)


def evaluate(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    seeds: Annotated[int, typer.Option(min=1, help="How many years of disturbances.")] = 3,
    site: SiteOption = DEMO,
) -> None:
    """A year of a bundle beside the incumbent and the best static setting, on the same weather and load."""
    _needs_torch()
    from controller.learning.evaluate import evaluate_bundle
    from controller.plants.registry import training_site

    evaluate_bundle(training_site(site), bundle, range(FIRST_SEED, FIRST_SEED + seeds), typer.echo)


def _needs_torch() -> None:
    if importlib.util.find_spec("torch") is None:
        raise SettingsError(
            "training needs torch: `make test` installs it, or `pip install -c constraints.txt -e .[train]`"
        )
