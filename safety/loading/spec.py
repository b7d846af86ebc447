"""`envelope.toml` to an `Envelope`: strict, every unknown key an error, every limit with unit, hazard and basis.

It runs once, at the edge, and what it returns needs nothing of it any more.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from safety.envelope import Envelope, SetpointSpec, SignalSpec
from safety.loading.spec_checks import check_envelope
from safety.loading.spec_inputs import PlausibilityModel, VoteModel
from safety.loading.spec_rules import (
    AnyRule,
    Id,
    Name,
    Number,
    SpecError,
    Strict,
    Text,
    Time,
    TimeOrZero,
    condition_of,
    microseconds,
)
from safety.loading.when import exact
from safety.rules.base import CommandRule, FailSafe, StateRule

__all__ = ["EnvelopeModel", "SpecError", "build_envelope", "envelope_digest", "load_envelope", "parse_envelope"]

_LONGEST = 1_000_000


class SetpointModel(Strict):
    """A commanded value, its physical range, and its values if it is discrete."""

    name: Name
    unit: Text
    low: Number
    high: Number
    values: Annotated[list[Number], Field(min_length=1)] | None = None
    group: Text = "plant"


class SignalModel(Strict):
    """A measured value and the domain over which the envelope is proven."""

    name: Name
    unit: Text
    low: Number
    high: Number


class FailSafeModel(Strict):
    """`vector` with a value for every setpoint, or `relinquish = true`."""

    id: Id
    when: Text | None = None
    vector: dict[Name, Number] | None = None
    relinquish: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "FailSafeModel":
        if (self.vector is None) == (self.relinquish is None):
            raise ValueError("give either `vector` or `relinquish = true`")
        return self


class EnvelopeModel(Strict):
    """The whole file."""

    plant: Text
    period_s: Time
    guard_period_s: Time
    valid_for_s: Time
    hold_max_s: TimeOrZero
    setpoint: Annotated[list[SetpointModel], Field(min_length=1)]
    signal: list[SignalModel] = Field(default_factory=list)
    rule: list[AnyRule]
    plausibility: list[PlausibilityModel] = Field(default_factory=list)
    vote: list[VoteModel] = Field(default_factory=list)
    failsafe: list[FailSafeModel] = Field(default_factory=list)


def load_envelope(path: Path) -> Envelope:
    """The envelope of a file. Raises SpecError with one clear sentence."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(
            f"envelope `{path}` cannot be read: {error.strerror}: give the path of an envelope.toml"
        ) from error
    except UnicodeDecodeError as error:
        raise SpecError(f"envelope `{path}` is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    return parse_envelope(text, origin=str(path))


def parse_envelope(text: str, *, origin: str = "envelope.toml") -> Envelope:
    """The envelope of a TOML text. Raises SpecError with one clear sentence."""
    return build_envelope(parse_model(text, origin=origin))


def parse_model(text: str, *, origin: str = "envelope.toml") -> EnvelopeModel:
    """The validated file, not yet an envelope. Raises SpecError."""
    if len(text) > _LONGEST:
        raise SpecError(f"`{origin}` has {len(text)} characters: at most {_LONGEST} are read")
    raw: dict[str, Any] = {}
    try:
        raw = tomllib.loads(text, parse_float=exact)
        return EnvelopeModel.model_validate(raw)
    except ValidationError as error:
        raise SpecError(f"`{origin}`: {_first(error, raw)}") from error
    except RecursionError as error:
        raise SpecError(f"`{origin}` is nested too deeply to be an envelope") from error
    except ValueError as error:
        raise SpecError(f"`{origin}` is not understood: {error}") from error


def build_envelope(model: EnvelopeModel) -> Envelope:
    """The envelope of a validated model. Raises SpecError where the parts do not fit each other.

    Rules are taken in the order of their names, so that the order in the file can mean nothing.
    """
    built = [rule.build() for rule in sorted(model.rule, key=lambda rule: rule.id)]
    envelope = Envelope(
        plant=model.plant,
        setpoints=tuple(_setpoint(spec) for spec in model.setpoint),
        signals=tuple(_signal(spec) for spec in model.signal),
        command_rules=tuple(rule for rule in built if isinstance(rule, CommandRule)),
        state_rules=tuple(rule for rule in built if isinstance(rule, StateRule)),
        failsafe=tuple(_failsafe(entry) for entry in model.failsafe),
        period_us=microseconds(model.period_s),
        guard_period_us=microseconds(model.guard_period_s),
        valid_for_us=microseconds(model.valid_for_s),
        hold_max_us=microseconds(model.hold_max_s),
        digest=envelope_digest(model),
        inputs=(*(each.build() for each in model.plausibility), *(each.build() for each in model.vote)),
    )
    check_envelope(envelope)
    _check_input_units(model)
    return envelope


def envelope_digest(model: EnvelopeModel) -> str:
    """SHA-256 over the canonical JSON of the model: the same limits have the same name, however the file is laid out.

    Defaults are left out, so that a key added to the format later does not rename the envelopes of before.
    """
    return hashlib.sha256(canonical(model)).hexdigest()


def canonical(model: EnvelopeModel) -> bytes:
    """The canonical JSON whose SHA-256 is the envelope's digest."""
    content = model.model_dump(mode="json", exclude_defaults=True)
    content["rule"] = sorted(content["rule"], key=lambda rule: str(rule["id"]))
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def canonical_of(path: Path) -> bytes:
    """The canonical JSON of a file. Raises SpecError."""
    return canonical(parse_model(path.read_text(encoding="utf-8"), origin=str(path)))


def _setpoint(spec: SetpointModel) -> SetpointSpec:
    if spec.low > spec.high:
        raise SpecError(f"setpoint `{spec.name}`: `low` {spec.low:g} is above `high` {spec.high:g}: swap them")
    values = None if spec.values is None else tuple(sorted(spec.values))
    return SetpointSpec(spec.name, spec.unit, spec.low, spec.high, values, spec.group)


def _signal(spec: SignalModel) -> SignalSpec:
    if spec.low > spec.high:
        raise SpecError(f"signal `{spec.name}`: `low` {spec.low:g} is above `high` {spec.high:g}: swap them")
    return SignalSpec(spec.name, spec.unit, spec.low, spec.high)


def _failsafe(entry: FailSafeModel) -> FailSafe:
    return FailSafe(entry.id, None if entry.when is None else condition_of(entry.id, entry.when), entry.vector)


def _check_input_units(model: EnvelopeModel) -> None:
    """A vote or plausibility says the unit of its limits, which is the one of its signal."""
    units = {spec.name: spec.unit for spec in model.signal}
    for kind, inputs in (("plausibility", model.plausibility), ("vote", model.vote)):
        for each in inputs:
            if each.unit != units[each.signal]:
                raise SpecError(f"{kind} `{each.id}`: unit `{each.unit}` where `{units[each.signal]}` is wanted")


def _first(error: ValidationError, raw: Mapping[str, Any]) -> str:
    """The first thing wrong, as `where: what`."""
    first = error.errors(include_url=False)[0]
    where, said = _where(first["loc"], raw), first["msg"].lower().removeprefix("value error, ")
    given = f", given `{str(first['input'])[:60]}`" if isinstance(first.get("input"), str | int | float) else ""
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}: {_WHAT.get(first['type'], said)}{given}{more}"


def _where(place: tuple[int | str, ...], raw: Mapping[str, Any]) -> str:
    """Rules, votes and the like by the names they have; by their places in the file only where they have none."""
    at = place[1] if len(place) > 1 else None
    if not isinstance(at, int):
        return f"`{'.'.join(map(str, place)) or 'envelope'}`"
    entry = raw[str(place[0])][at]
    given = entry if isinstance(entry, dict) else {}
    name = given.get("id", given.get("name"))
    named = f"{place[0]} `{name}`" if isinstance(name, str) else f"{place[0]} number {at + 1}"
    keys = [str(part) for part in place[2:] if part != given.get("kind")]
    return f"{named}: `{'.'.join(keys)}`" if keys else named


_WHAT = {"union_tag_not_found": "`kind` is missing"}
