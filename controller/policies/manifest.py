"""What a bundle says of its policy: which inputs in which order, which outputs, and how it came about.

Read once, at the edge, into frozen models; an unknown key is an error.
"""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

SCHEMA_VERSION = 1
MAX_HISTORY = 16

Hex256 = Field(pattern=r"^[0-9a-f]{64}$")


class BundleError(ValueError):
    """A bundle that may not be served. The message names the file, what is wrong and what to do."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class InputSpec(_Model):
    """One input feature, normalised as `(value - centre) / scale`.

    `signal` and `setpoint` (the command in force) are in their own engineering units; `calendar` is one of
    `day_sin day_cos year_sin year_cos`, computed from the observation's time in UTC.
    """

    kind: Literal["signal", "setpoint", "calendar"]
    name: str = Field(min_length=1)
    centre: float = 0.0
    scale: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _known_calendar(self) -> "InputSpec":
        if self.kind == "calendar" and self.name not in CALENDAR:
            raise ValueError(f"unknown calendar feature `{self.name}`; valid: {', '.join(CALENDAR)}")
        return self


CALENDAR = ("day_sin", "day_cos", "year_sin", "year_cos")


class OutputSpec(_Model):
    """One output: setpoint = centre + scale * y, and for a discrete one the value between its thresholds.

    `values[i]` is proposed where exactly `i` thresholds are at or below the continuous value.
    """

    setpoint: str = Field(min_length=1)
    centre: float
    scale: float = Field(gt=0)
    values: tuple[float, ...] | None = None
    thresholds: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _thresholds_separate_values(self) -> "OutputSpec":
        if (self.values is None) != (self.thresholds is None):
            raise ValueError(f"output `{self.setpoint}` needs both `values` and `thresholds`, or neither")
        if self.values is None or self.thresholds is None:
            return self
        if len(self.values) != len(self.thresholds) + 1 or list(self.thresholds) != sorted(set(self.thresholds)):
            raise ValueError(f"output `{self.setpoint}` needs one ascending threshold between every two values")
        return self


class Training(_Model):
    """The exact command that made the weights, and its seed."""

    command: str
    seed: int
    algorithm: str


class NoveltyStatistics(_Model):
    """What tells the unusual from the usual: rows are normalised inputs, then normalised targets, in the manifest's order.

    A row's score is |whitening (row - mean)| / threshold; `whitening` is lower triangular, row i with i + 1 numbers.
    """

    mean: tuple[float, ...] = Field(min_length=1)
    whitening: tuple[tuple[float, ...], ...]
    threshold: float = Field(gt=0)
    alpha: float = Field(gt=0, lt=1)
    shrinkage: float = Field(ge=0, le=1)
    fitted: int = Field(gt=0)
    calibrated: int = Field(gt=0)

    @model_validator(mode="after")
    def _triangular(self) -> "NoveltyStatistics":
        if [len(row) for row in self.whitening] != list(range(1, len(self.mean) + 1)):
            raise ValueError("`whitening` must have one row for each mean, the i-th with i numbers: fit it again")
        return self


class Manifest(_Model):
    """All a server needs to know of a policy besides its graph. Recurrent graphs are refused; `history` stacks instead."""

    schema_version: Literal[1]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    plant_kind: str = Field(min_length=1)
    inputs: tuple[InputSpec, ...] = Field(min_length=1)
    outputs: tuple[OutputSpec, ...] = Field(min_length=1)
    history: int = Field(default=1, ge=1, le=MAX_HISTORY)
    control_period_s: float = Field(gt=0)
    weights_sha256: str = Hex256
    envelope_digest: str = Hex256
    training: Training
    score: dict[str, float] = Field(default_factory=dict)
    novelty: NoveltyStatistics | None = None

    @model_validator(mode="after")
    def _novelty_fits(self) -> "Manifest":
        width = len(self.inputs) + len(self.outputs)
        if self.novelty is not None and len(self.novelty.mean) != width:
            raise ValueError(
                f"`novelty` is of {len(self.novelty.mean)} columns, inputs and outputs are {width}: fit it again"
            )
        return self

    @model_validator(mode="after")
    def _no_doubles(self) -> "Manifest":
        for what, names in (
            ("input", [(spec.kind, spec.name) for spec in self.inputs]),
            ("output", [spec.setpoint for spec in self.outputs]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"an {what} is given twice: keep one")
        return self

    @property
    def input_width(self) -> int:
        """Features the graph takes: every input of every stacked observation."""
        return len(self.inputs) * self.history


def read_manifest(path: Path, content: bytes) -> Manifest:
    """The manifest of a bundle's `manifest.json`. Raises BundleError naming the first thing wrong."""
    try:
        return Manifest.model_validate(json.loads(content))
    except ValidationError as error:
        raise BundleError(f"bundle manifest `{path}`: {_first(error)}: correct the file and sign it again") from error
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(
            f"bundle manifest `{path}` is not JSON ({error}): restore it from where it was made"
        ) from error


def write_manifest(manifest: Manifest) -> bytes:
    """Canonical JSON: sorted keys, one final newline, so that equal manifests are equal bytes."""
    return json.dumps(manifest.model_dump(mode="json"), indent=1, sort_keys=True).encode() + b"\n"


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    what = "unknown key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"`{where}`: {what}{more}" if where else f"{what}{more}"
