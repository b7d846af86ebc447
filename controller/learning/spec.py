"""`training.toml`: all that a training run depends on, besides the code and the site's envelope."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from controller.plants.cooling.training.randomisation import RandomisationSpec, randomisation_of
from controller.learning.spec_types import Count, Number, Positive, SpecModel, TrainingError


class World(SpecModel):
    """Where the policy practises: `lanes` plants side by side, in episodes of `episode_steps` control steps."""

    scenario: str
    lanes: Count
    episode_steps: Count


class Reward(SpecModel):
    """-energy, -`inlet_weight` for each kelvin (averaged over zones) above `inlet_soft_c`, -`move_weight` per unit moved,
    -`refusal_weight` for a proposal that an interlock of the envelope refuses."""

    inlet_soft_c: Number
    inlet_weight: Number
    move_weight: Number = 0.0
    refusal_weight: Number = 0.0


class Clone(SpecModel):
    """Warm start: how long the incumbent is watched, and how often what it did is gone through."""

    steps: Count
    epochs: Count
    batch: Count
    learning_rate: Positive


class Ppo(SpecModel):
    """PPO as Stable-Baselines3 names it; `iterations` are rollouts of `lanes * n_steps` steps each."""

    iterations: Annotated[int, Field(ge=0)]
    n_steps: Count
    batch_size: Count
    n_epochs: Count
    gamma: Positive
    gae_lambda: Positive
    learning_rate: Positive
    clip_range: Positive
    log_std_init: Number
    hidden: list[Count]


class Output(SpecModel):
    """A setpoint and the range the policy may ask for: inside the envelope's bounds, so that no answer can be refused by them."""

    setpoint: str
    low: Number
    high: Number


class Floor(SpecModel):
    """While `signal` is above `above`, the policy asks at least `value` of a setpoint: in the graph itself, so that what an
    interlock would refuse is not asked. `above` lies inside the interlock's own limit, for the signal moves on."""

    setpoint: str
    signal: str
    above: Number
    value: Number


class TrainingSpec(SpecModel):
    """The whole file."""

    schema_version: Literal[1]
    name: str
    plant_kind: Literal["cooling"]
    control_period_s: Positive
    signals: list[str]
    calendar: list[str] = Field(default_factory=list)
    output: list[Output]
    floor: list[Floor] = Field(default_factory=list)
    world: World
    randomisation: RandomisationSpec | None = None
    reward: Reward
    clone: Clone
    ppo: Ppo


def load_training(path: Path) -> TrainingSpec:
    """The spec of a `training.toml`. Raises TrainingError with one clear sentence."""
    try:
        spec = TrainingSpec.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise TrainingError(f"training file `{path}` cannot be read: {error.strerror}: give a site with one") from error
    except tomllib.TOMLDecodeError as error:
        raise TrainingError(f"training file `{path}` is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise TrainingError(f"training file `{path}`: `{where}`: {first['msg'].lower()}") from error
    if spec.randomisation is not None:
        _check(spec.randomisation, path)
    return spec


def _check(randomisation: RandomisationSpec, path: Path) -> None:
    try:
        randomisation_of(randomisation, path.parent)
    except TrainingError as error:
        raise TrainingError(f"training file `{path}`: {error}") from error


__all__ = [
    "Clone", "Output", "Ppo", "Reward", "TrainingError", "TrainingSpec", "World", "load_training",
]  # fmt: skip
