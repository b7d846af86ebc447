"""`envelope.toml` to an `Envelope`: strict, every unknown key an error, every limit with unit, hazard and basis.

Not part of the kernel: it runs once, at the edge, and what it returns needs nothing of it any more.
"""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from safety.conditions import Condition, Linear
from safety.envelope import Envelope, SetpointSpec, SignalSpec
from safety.rules import (
    POLICY,
    US_PER_S,
    Bound,
    CommandRule,
    Dwell,
    FailSafe,
    Interlock,
    Readback,
    Relation,
    Slew,
    Staleness,
    StateRule,
    Trip,
    TrustRegion,
)
from safety.values import Tier
from safety.when import names_in, parse_linear, parse_when


class SpecError(ValueError):
    """An envelope that may not be loaded. The message names the rule, what is wrong and what to do."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _number(value: Any) -> Any:
    """TOML integers are welcome where a number is wanted; text and booleans are not."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]


class SetpointModel(_Model):
    """A commanded value, its physical range, and its values if it is discrete."""

    name: Text
    unit: Text
    low: Number
    high: Number
    values: list[Number] | None = None
    group: Text = "plant"


class SignalModel(_Model):
    """A measured value and the domain over which the envelope is proven."""

    name: Text
    unit: Text
    low: Number
    high: Number


class RuleModel(_Model):
    """What every rule must say."""

    id: Text
    tier: Literal["T0", "T1", "T2", "T3", "T4", "T5"]
    applies_to: Literal["any", "policy"] = "any"
    unit: Text
    hazard: Text
    basis: Text

    @property
    def common(self) -> dict[str, Any]:
        tier = Tier[self.tier]
        applies_to = POLICY if tier is Tier.T5 else self.applies_to
        return {
            "id": self.id,
            "tier": tier,
            "applies_to": applies_to,
            "hazard": self.hazard,
            "basis": self.basis,
            "unit": self.unit,
        }


class BoundModel(RuleModel):
    kind: Literal["bound"]
    setpoint: Text
    low: Number
    high: Number

    def build(self) -> CommandRule:
        if self.low > self.high:
            raise SpecError(
                f"rule `{self.id}`: `low` {self.low:g} is above `high` {self.high:g}: swap them in envelope.toml"
            )
        return Bound(**self.common, setpoint=self.setpoint, low=self.low, high=self.high)


class InterlockModel(RuleModel):
    """`low` and `high` are numbers or linear terms over signals; at least one is needed."""

    kind: Literal["interlock"]
    setpoint: Text
    when: Text | None = None
    low: Number | Text | None = None
    high: Number | Text | None = None
    if_unknown: tuple[Number, Number] | None = None

    def build(self) -> CommandRule:
        if self.low is None and self.high is None:
            raise SpecError(f"rule `{self.id}`: an interlock needs `low`, `high` or both")
        when = None if self.when is None else _parse(self.id, self.when)
        low, high = _limit(self.id, self.low), _limit(self.id, self.high)
        return Interlock(
            **self.common, setpoint=self.setpoint, when=when, low=low, high=high, if_unknown=self.if_unknown
        )


class RelationModel(RuleModel):
    """`sum(coefficient * setpoint) <= limit`."""

    kind: Literal["relation"]
    terms: dict[str, Number]
    limit: Number | Text

    def build(self) -> CommandRule:
        limit = _limit(self.id, self.limit)
        assert limit is not None
        return Relation(**self.common, terms=tuple(self.terms.items()), limit=limit)


class SlewModel(RuleModel):
    """Rates per direction over `per_s`. `safe_direction` may be unlimited; the other one may not."""

    kind: Literal["slew"]
    setpoint: Text
    up: Number | None = None
    down: Number | None = None
    per_s: Number
    safe_direction: Literal["up", "down"] | None = None

    def build(self) -> CommandRule:
        for name, rate in (("up", self.up), ("down", self.down)):
            if rate is None and self.safe_direction != name:
                raise SpecError(f"rule `{self.id}`: `{name}` may be left out only if `safe_direction` is `{name}`")
            if rate is not None and rate <= 0:
                raise SpecError(f"rule `{self.id}`: `{name}` {rate:g} must be above 0")
        if self.per_s <= 0:
            raise SpecError(f"rule `{self.id}`: `per_s` {self.per_s:g} must be above 0")
        up = float("inf") if self.up is None else self.up / self.per_s
        down = float("inf") if self.down is None else self.down / self.per_s
        return Slew(**self.common, setpoint=self.setpoint, up_per_s=up, down_per_s=down)


class DwellModel(RuleModel):
    kind: Literal["dwell"]
    setpoint: Text
    min_on_s: Number
    min_off_s: Number
    max_starts: int = 0
    window_s: Number = 0.0

    def build(self) -> CommandRule:
        return Dwell(
            **self.common,
            setpoint=self.setpoint,
            min_on_us=_us(self.min_on_s),
            min_off_us=_us(self.min_off_s),
            max_starts=self.max_starts,
            window_us=_us(self.window_s),
        )


class TrustRegionModel(RuleModel):
    kind: Literal["trust_region"]
    setpoint: Text
    distance: Number

    def build(self) -> CommandRule:
        return TrustRegion(**self.common, setpoint=self.setpoint, distance=self.distance)


class StalenessModel(RuleModel):
    kind: Literal["staleness"]
    signals: list[Text]
    max_age_s: Number

    def build(self) -> StateRule:
        return Staleness(**self.common, signals=tuple(self.signals), max_age_us=_us(self.max_age_s))


class TripModel(RuleModel):
    kind: Literal["trip"]
    signal: Text
    low: Number
    high: Number
    on_delay_s: Number = 0.0

    def build(self) -> StateRule:
        if self.low > self.high:
            raise SpecError(
                f"rule `{self.id}`: `low` {self.low:g} is above `high` {self.high:g}: swap them in envelope.toml"
            )
        return Trip(**self.common, signal=self.signal, low=self.low, high=self.high, on_delay_us=_us(self.on_delay_s))


class ReadbackModel(RuleModel):
    kind: Literal["readback"]
    setpoint: Text
    tolerance: Number
    delay_s: Number = 0.0

    def build(self) -> StateRule:
        return Readback(**self.common, setpoint=self.setpoint, tolerance=self.tolerance, delay_us=_us(self.delay_s))


AnyRule = Annotated[
    BoundModel
    | InterlockModel
    | RelationModel
    | SlewModel
    | DwellModel
    | TrustRegionModel
    | StalenessModel
    | TripModel
    | ReadbackModel,
    Field(discriminator="kind"),
]


class FailSafeModel(_Model):
    """`vector` with a value for every setpoint, or `relinquish = true`."""

    id: Text
    when: Text | None = None
    vector: dict[str, Number] | None = None
    relinquish: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "FailSafeModel":
        if (self.vector is None) == (self.relinquish is None):
            raise ValueError("give either `vector` or `relinquish = true`")
        return self


class EnvelopeModel(_Model):
    """The whole file."""

    plant: Text
    period_s: Number
    guard_period_s: Number
    valid_for_s: Number
    hold_max_s: Number
    setpoint: list[SetpointModel]
    signal: list[SignalModel] = Field(default_factory=list)
    rule: list[AnyRule]
    failsafe: list[FailSafeModel] = Field(default_factory=list)


def load_envelope(path: Path) -> Envelope:
    """The envelope of a file. Raises SpecError with one clear sentence."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(
            f"envelope `{path}` cannot be read: {error.strerror}: give the path of an envelope.toml"
        ) from error
    return parse_envelope(text, origin=str(path))


def parse_envelope(text: str, *, origin: str = "envelope.toml") -> Envelope:
    """The envelope of a TOML text. Raises SpecError with one clear sentence."""
    try:
        model = EnvelopeModel.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"`{origin}` is not TOML: {error}") from error
    except ValidationError as error:
        raise SpecError(f"`{origin}`: {_first(error)}") from error
    return build_envelope(model)


def build_envelope(model: EnvelopeModel) -> Envelope:
    """The envelope of a validated model. Raises SpecError where the parts do not fit each other."""
    setpoints = tuple(_setpoint(spec) for spec in model.setpoint)
    signals = tuple(SignalSpec(spec.name, spec.unit, spec.low, spec.high) for spec in model.signal)
    built = [rule.build() for rule in model.rule]
    envelope = Envelope(
        plant=model.plant,
        setpoints=setpoints,
        signals=signals,
        command_rules=tuple(rule for rule in built if isinstance(rule, CommandRule)),
        state_rules=tuple(rule for rule in built if isinstance(rule, StateRule)),
        failsafe=tuple(_failsafe(entry) for entry in model.failsafe),
        period_us=_us(model.period_s),
        guard_period_us=_us(model.guard_period_s),
        valid_for_us=_us(model.valid_for_s),
        hold_max_us=_us(model.hold_max_s),
        digest=envelope_digest(model),
    )
    _check(envelope)
    return envelope


def envelope_digest(model: EnvelopeModel) -> str:
    """SHA-256 over the canonical JSON of the model: the same limits have the same name, however the file is laid out."""
    canonical = json.dumps(model.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _check(envelope: Envelope) -> None:
    """What no single rule can know: names are declared, every setpoint is ruled, fail-safes fit their own limits."""
    _refuse_doubles("setpoint", [spec.name for spec in envelope.setpoints])
    _refuse_doubles("signal", [spec.name for spec in envelope.signals])
    _refuse_doubles("rule", [rule.id for rule in envelope.rules])
    _refuse_doubles("failsafe", [entry.id for entry in envelope.failsafe])
    signals = {spec.name for spec in envelope.signals}
    discrete = {spec.name for spec in envelope.setpoints if spec.values is not None}
    for both in sorted(signals & envelope.names):
        raise SpecError(f"`{both}` is both a signal and a setpoint: a name has one meaning, rename one")
    for rule in envelope.command_rules:
        _refuse_unknown(rule.id, "setpoint", set(rule.setpoints) - envelope.names)
    for rule_id, names in _looked_up(envelope):
        _refuse_unknown(rule_id, "signal or discrete setpoint", names - signals - discrete)
    for spec in envelope.setpoints:
        if not any(isinstance(rule, Bound) and rule.setpoint == spec.name for rule in envelope.command_rules):
            raise SpecError(f"setpoint `{spec.name}` has no `bound` rule: add one, what has no limit is refused")
    groups = {spec.name: spec.group for spec in envelope.setpoints}
    for rule in envelope.command_rules:
        if len({groups[name] for name in rule.setpoints}) > 1:
            raise SpecError(f"rule `{rule.id}` spans veto groups: a relation stays within one group")
    for entry in envelope.failsafe:
        _check_failsafe(entry, envelope)


def _check_failsafe(entry: FailSafe, envelope: Envelope) -> None:
    if entry.vector is None:
        return
    if entry.vector.keys() != envelope.names:
        wrong = ", ".join(sorted(entry.vector.keys() ^ envelope.names))
        raise SpecError(f"failsafe `{entry.id}`: setpoints missing or not known: {wrong}")
    for spec in envelope.setpoints:
        if not spec.fits(entry.vector[spec.name]):
            raise SpecError(f"failsafe `{entry.id}`: `{spec.name}` {entry.vector[spec.name]:g} is outside its range")
    for rule in envelope.command_rules:
        if (
            isinstance(rule, Bound)
            and rule.tier <= Tier.T1
            and not rule.low <= entry.vector[rule.setpoint] <= rule.high
        ):
            raise SpecError(f"failsafe `{entry.id}`: `{rule.setpoint}` breaks rule `{rule.id}`: a last resort keeps T1")


def _looked_up(envelope: Envelope) -> list[tuple[str, set[str]]]:
    """Which signals and discrete setpoints each rule and fail-safe entry looks up."""
    found: list[tuple[str, set[str]]] = []
    for rule in envelope.rules:
        if isinstance(rule, Interlock):
            terms = [linear for linear in (rule.low, rule.high) if linear is not None]
            names = {name for linear in terms for name, _ in linear.terms}
            found.append((rule.id, names | (set(names_in(rule.when)) if rule.when else set())))
        elif isinstance(rule, Relation):
            found.append((rule.id, {name for name, _ in rule.limit.terms}))
        elif isinstance(rule, Staleness):
            found.append((rule.id, set(rule.signals)))
        elif isinstance(rule, Trip):
            found.append((rule.id, {rule.signal}))
        elif isinstance(rule, Readback):
            _refuse_unknown(rule.id, "setpoint", {rule.setpoint} - envelope.names)
    return found + [(entry.id, set(names_in(entry.when))) for entry in envelope.failsafe if entry.when is not None]


def _refuse_doubles(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"{what} `{name}` is given twice: keep one")


def _refuse_unknown(rule_id: str, what: str, names: set[str]) -> None:
    for name in sorted(names):
        raise SpecError(f"rule `{rule_id}`: `{name}` is no declared {what}: declare it or mend the name")


def _setpoint(spec: SetpointModel) -> SetpointSpec:
    if spec.low > spec.high:
        raise SpecError(f"setpoint `{spec.name}`: `low` {spec.low:g} is above `high` {spec.high:g}: swap them")
    values = None if spec.values is None else tuple(sorted(spec.values))
    return SetpointSpec(spec.name, spec.unit, spec.low, spec.high, values, spec.group)


def _failsafe(entry: FailSafeModel) -> FailSafe:
    return FailSafe(entry.id, None if entry.when is None else _parse(entry.id, entry.when), entry.vector)


def _parse(rule_id: str, text: str) -> Condition:
    try:
        return parse_when(text)
    except ValueError as error:
        raise SpecError(f"rule `{rule_id}`: `when`: {error}") from error


def _limit(rule_id: str, limit: float | str | None) -> Linear | None:
    if limit is None or isinstance(limit, float):
        return None if limit is None else Linear((), limit)
    try:
        return parse_linear(limit)
    except ValueError as error:
        raise SpecError(f"rule `{rule_id}`: {error}") from error


def _us(seconds: float) -> int:
    return round(seconds * US_PER_S)


def _first(error: ValidationError) -> str:
    """The first thing wrong, as `where: what`."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    given = f", given `{first['input']}`" if isinstance(first.get("input"), str | int | float) else ""
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"`{where}`: {first['msg'].lower()}{given}{more}"
