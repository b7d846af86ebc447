"""`envelope.toml` to an `Envelope`: strict, every unknown key an error, every limit with unit, hazard and basis.

It runs once, at the edge, and what it returns needs nothing of it any more.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from safety.envelope import Envelope, SetpointSpec, SignalSpec
from safety.loading.messages import SpecError
from safety.loading.spec_checks import check_envelope
from safety.loading.spec_inputs import PlausibilityModel, VoteModel
from safety.loading.spec_rules import (
    AnyRule,
    Id,
    Name,
    Number,
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
            raise SpecError("failsafe-without-one-action")
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
        raise SpecError("file-unreadable", file=str(path), reason=error.strerror) from error
    except UnicodeDecodeError as error:
        raise SpecError("file-not-utf8", file=str(path), byte=error.start) from error
    return parse_envelope(text, origin=str(path))


def parse_envelope(text: str, *, origin: str = "envelope.toml") -> Envelope:
    """The envelope of a TOML text. Raises SpecError with one clear sentence."""
    return build_envelope(parse_model(text, origin=origin))


def parse_model(text: str, *, origin: str = "envelope.toml") -> EnvelopeModel:
    """The validated file, not yet an envelope. Raises SpecError."""
    if len(text) > _LONGEST:
        raise SpecError("file-too-long", file=origin, given=len(text), most=_LONGEST)
    raw: dict[str, Any] = {}
    try:
        raw = tomllib.loads(text, parse_float=exact)
        return EnvelopeModel.model_validate(raw)
    except ValidationError as error:
        raise _first(error, raw, origin) from error
    except RecursionError as error:
        raise SpecError("file-nested-too-deeply", file=origin) from error
    except SpecError as error:
        raise SpecError(error.id, origin=origin, **error.values) from error
    except ValueError as error:
        raise SpecError("file-not-toml", file=origin, reason=str(error)) from error


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
        raise SpecError("reversed-range", "setpoint", spec.name, low=spec.low, high=spec.high)
    values = None if spec.values is None else tuple(sorted(spec.values))
    return SetpointSpec(spec.name, spec.unit, spec.low, spec.high, values, spec.group)


def _signal(spec: SignalModel) -> SignalSpec:
    if spec.low > spec.high:
        raise SpecError("reversed-range", "signal", spec.name, low=spec.low, high=spec.high)
    return SignalSpec(spec.name, spec.unit, spec.low, spec.high)


def _failsafe(entry: FailSafeModel) -> FailSafe:
    when = None if entry.when is None else condition_of(entry.when, "failsafe", entry.id, "when")
    return FailSafe(entry.id, when, entry.vector)


def _check_input_units(model: EnvelopeModel) -> None:
    """A vote or plausibility says the unit of its limits, which is the one of its signal."""
    units = {spec.name: spec.unit for spec in model.signal}
    for kind, inputs in (("plausibility", model.plausibility), ("vote", model.vote)):
        for each in inputs:
            if each.unit != units[each.signal]:
                raise SpecError("wrong-unit", kind, each.id, "unit", given=each.unit, expected=units[each.signal])


def _first(error: ValidationError, raw: Mapping[str, Any], origin: str) -> SpecError:
    """The first fault of the file, by its key path, and how many more there are."""
    first, more = error.errors(include_url=False)[0], error.error_count() - 1
    message_id, values = message_of(first)
    place = _place(first["loc"], raw)
    if first["type"] == "union_tag_not_found":
        place += ("kind",)
    return SpecError(message_id, *place, origin=origin, more=more, **values)


def message_of(fault: ErrorDetails) -> tuple[str, dict[str, Any]]:
    """The message id and the values of one of pydantic's faults."""
    context, given = fault.get("ctx", {}), _given(fault["input"])
    match fault["type"]:
        case "value_error" if isinstance(context["error"], SpecError):
            return context["error"].id, context["error"].values
        case "missing" | "union_tag_not_found":
            return "missing-key", {}
        case "extra_forbidden":
            return "unknown-key", {}
        case "union_tag_invalid":
            return "unknown-kind", {"given": context["tag"], "valid": context["expected_tags"].replace("'", "`")}
        case "literal_error":
            return "unknown-choice", {
                "given": given,
                "valid": context["expected"].replace("'", "`").replace("True", "true"),
            }
        case "string_pattern_mismatch":
            return "malformed-name", {"given": given, "pattern": context["pattern"]}
        case "string_too_short":
            return "blank-text", {}
        case "string_too_long":
            return "text-too-long", {"most": context["max_length"]}
        case "too_short" | "too_long":
            return "wrong-count", {"given": context["actual_length"], "expected": _limit(context)}
        case "greater_than" | "greater_than_equal" | "less_than_equal":
            return "number-out-of-range", {"given": given, "expected": _limit(context)}
        case other:
            return "wrong-type", {"given": given, "expected": _EXPECTED.get(other, fault["msg"])}


_EXPECTED = {
    "float_type": "a number", "int_type": "a whole number", "string_type": "a text", "list_type": "a list",
    "tuple_type": "a list", "dict_type": "a table", "model_type": "a table", "model_attributes_type": "a table",
}  # fmt: skip
_LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "min_length": "at least", "max_length": "at most"}


def _limit(context: Mapping[str, Any]) -> str:
    """The limit that a value or a count breaks, as `at least 0`."""
    return next(f"{_LIMITS[key]} {limit:g}" for key, limit in context.items() if key in _LIMITS)


def _given(value: Any) -> str:
    """A given value as a message shows it: at most 60 characters, tables and lists by their kind."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{Decimal(value):.6g}"
    kinds = {dict: "a table", list: "a list", bool: str(value).lower()}
    return kinds.get(type(value), str(value)[:60])


def _place(place: tuple[int | str, ...], raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The key path: rules, votes and the like by their names; by `#1` only where they have none."""
    at = place[1] if len(place) > 1 else None
    if not isinstance(at, int):
        return tuple(map(str, place))
    entry = raw[str(place[0])][at]
    given = entry if isinstance(entry, dict) else {}
    name = given.get("id", given.get("name"))
    keys = [str(part) for part in place[2:] if part != given.get("kind") and "[" not in str(part)]
    return (str(place[0]), name if isinstance(name, str) else f"#{at + 1}", *keys)
