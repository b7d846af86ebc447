"""`training.toml`: all that a training run depends on, besides the code and the site's envelope."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError

from controller.learning.spec_types import Count, Number, Positive, SpecModel, TrainingError


class World(SpecModel):
    """The plants that the policy trains on: `lanes` plants side by side, in episodes of `episode_steps` control steps."""

    scenario: str
    lanes: Count
    episode_steps: Count


class Reward(SpecModel):
    """What every plant's reward has; the plant adds its own keys.

    A step costs `move_weight` times the mean over setpoints of the distance moved, each as a share of its span in the
    envelope, and `refusal_weight` if an interlock of the envelope refuses the proposal.
    """

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
    """What the file has for every plant. A plant's own model extends it."""

    schema_version: Literal[1]
    name: str
    plant_kind: str
    control_period_s: Positive
    signals: list[str]
    calendar: list[str] = Field(default_factory=list)
    output: list[Output]
    floor: list[Floor] = Field(default_factory=list)
    world: World
    reward: Reward
    clone: Clone
    ppo: Ppo


Spec = TypeVar("Spec", bound=TrainingSpec)


def load_training(path: Path, model: type[Spec]) -> Spec:
    """The spec of a `training.toml` as the plant's model. Raises TrainingError with one clear sentence."""
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise TrainingError(f"training file `{path}` cannot be read: {error.strerror}: give a site with one") from error
    except tomllib.TOMLDecodeError as error:
        raise TrainingError(f"training file `{path}` is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise TrainingError(f"training file `{path}`: `{where}`: {first['msg'].lower()}") from error


__all__ = [
    "Clone", "Output", "Ppo", "Reward", "TrainingError", "TrainingSpec", "World", "load_training",
]  # fmt: skip
