"""The rule kinds as they are written in `envelope.toml`: one strict model per kind, each builds its rule.

A kind says which tiers it may have. Two tiers mean nothing for a kind if the ladder could not act on them: a slew of
the policy alone, say, when the ramp is the same for every source.
"""

from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from safety.loading.messages import SpecError, WhenError
from safety.loading.when import parse_linear, parse_when
from safety.rules.base import ANY, POLICY, US_PER_S, CommandRule, StateRule
from safety.rules.command_rules import Bound, Dwell, Interlock, Permissive, RateWindow, Relation, Slew, TrustRegion
from safety.rules.conditions import Condition, Linear
from safety.rules.money_rules import Budget, SpendRate
from safety.rules.state_rules import Novelty, Readback, Recoverability, Staleness, Trip, Watchdog
from safety.values import Tier

_LARGEST = 1e12


class Strict(BaseModel):
    """Unknown keys, text for numbers and numbers for text are errors; so are NaN and infinities."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _number(value: Any) -> Any:
    """TOML integers are accepted as numbers; text and booleans are not. Nothing may be lost on the way."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if not abs(value) <= _LARGEST:
        raise SpecError("number-too-large", given=f"{Decimal(value):.6g}", most=_LARGEST)
    return float(value)


def _pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _whole(seconds: float) -> float:
    """Times are counted in whole microseconds; what is not one would be rounded, down to nothing even."""
    if microseconds(seconds) / US_PER_S != seconds:
        raise SpecError("time-not-whole-microseconds", given=seconds)
    return seconds


def _not_blank(text: str) -> str:
    if not text.strip():
        raise SpecError("blank-text")
    return text


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
NotNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
TimeOrZero = Annotated[NotNegative, AfterValidator(_whole)]
Time = Annotated[Positive, AfterValidator(_whole)]
Text = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_not_blank)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Id = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
Pair = Annotated[tuple[Number, Number], BeforeValidator(_pair)]


class RuleModel(Strict):
    """What every rule must say. The unit is that of its limits and of the margin it reports."""

    tiers: ClassVar[tuple[Tier, ...]] = (Tier.T1, Tier.T2, Tier.T3, Tier.T4, Tier.T5)

    id: Id
    tier: Literal["T1", "T2", "T3", "T4", "T5"]
    applies_to: Literal["any", "policy"] | None = None
    unit: Text
    hazard: Text
    basis: Text

    def common(self) -> dict[str, Any]:
        """The fields every rule shares. Raises SpecError on a tier this kind cannot have."""
        tier = Tier[self.tier]
        if tier not in self.tiers:
            valid = tuple(allowed.name for allowed in self.tiers)
            raise SpecError("tier-not-for-kind", "rule", self.id, "tier", given=self.tier, valid=valid)
        if self.id.startswith("T0-"):
            raise SpecError("reserved-id", "rule", self.id, "id")
        return {
            "id": self.id,
            "tier": tier,
            "applies_to": self._binds(tier),
            "hazard": self.hazard,
            "basis": self.basis,
            "unit": self.unit,
        }

    def _binds(self, tier: Tier) -> str:
        if tier is Tier.T5:
            if self.applies_to == ANY:
                raise SpecError("policy-tier-binds-any", "rule", self.id, "applies_to")
            return POLICY
        return self.applies_to or ANY

    def build(self) -> CommandRule | StateRule:
        raise NotImplementedError


class CommandModel(RuleModel):
    """A rule that judges setpoints. What binds the policy alone has tier T5."""

    tiers: ClassVar[tuple[Tier, ...]] = (Tier.T1, Tier.T2, Tier.T5)

    def _binds(self, tier: Tier) -> str:
        if tier is not Tier.T5 and self.applies_to == POLICY:
            raise SpecError("policy-rule-without-policy-tier", "rule", self.id, "tier", given=self.tier)
        return super()._binds(tier)


class BoundModel(CommandModel):
    kind: Literal["bound"]
    setpoint: Name
    low: Number
    high: Number

    def build(self) -> CommandRule:
        _refuse_reversed(self.id, self.low, self.high)
        return Bound(**self.common(), setpoint=self.setpoint, low=self.low, high=self.high)


class InterlockModel(CommandModel):
    """`low` and `high` are numbers or linear terms over signals; at least one is needed."""

    kind: Literal["interlock"]
    setpoint: Name
    when: Text | None = None
    low: Number | Text | None = None
    high: Number | Text | None = None
    if_unknown: Pair | None = None

    def build(self) -> CommandRule:
        if self.low is None and self.high is None:
            raise SpecError("interlock-without-limit", "rule", self.id)
        if isinstance(self.low, float) and isinstance(self.high, float):
            _refuse_reversed(self.id, self.low, self.high)
        if self.if_unknown is not None:
            _refuse_reversed(self.id, *self.if_unknown)
        when = None if self.when is None else condition_of(self.when, "rule", self.id, "when")
        low, high = _limit(self.low, self.id, "low"), _limit(self.high, self.id, "high")
        return Interlock(
            **self.common(), setpoint=self.setpoint, when=when, low=low, high=high, if_unknown=self.if_unknown
        )


class RelationModel(CommandModel):
    """`sum(coefficient * setpoint) <= limit`."""

    kind: Literal["relation"]
    terms: Annotated[dict[Name, Number], Field(min_length=2)]
    limit: Number | Text
    if_unknown: Number | None = None

    def build(self) -> CommandRule:
        for name, coefficient in self.terms.items():
            if coefficient == 0:
                raise SpecError("zero-coefficient", "rule", self.id, "terms", name=name)
        limit = _limit(self.limit, self.id, "limit")
        assert limit is not None
        terms = tuple(sorted(self.terms.items()))
        return Relation(**self.common(), terms=terms, limit=limit, if_unknown=self.if_unknown)


class SlewModel(CommandModel):
    """Rates per direction over `per_s`. `safe_direction` may be unlimited; the other one may not."""

    tiers: ClassVar[tuple[Tier, ...]] = (Tier.T4,)

    kind: Literal["slew"]
    setpoint: Name
    up: Positive | None = None
    down: Positive | None = None
    per_s: Positive
    safe_direction: Literal["up", "down"] | None = None

    def build(self) -> CommandRule:
        for name, rate in (("up", self.up), ("down", self.down)):
            if rate is None and self.safe_direction != name:
                raise SpecError("slew-without-rate", "rule", self.id, name, missing=name)
        up = float("inf") if self.up is None else self.up / self.per_s
        down = float("inf") if self.down is None else self.down / self.per_s
        return Slew(**self.common(), setpoint=self.setpoint, up_per_s=up, down_per_s=down)


class DwellModel(CommandModel):
    tiers: ClassVar[tuple[Tier, ...]] = (Tier.T3,)

    kind: Literal["dwell"]
    setpoint: Name
    min_on_s: TimeOrZero
    min_off_s: TimeOrZero
    max_starts: Annotated[int, Field(ge=0, le=100)] = 0
    window_s: TimeOrZero = 0.0

    def build(self) -> CommandRule:
        if (self.max_starts > 0) != (self.window_s > 0):
            raise SpecError("starts-without-window", "rule", self.id)
        return Dwell(
            **self.common(),
            setpoint=self.setpoint,
            min_on_us=microseconds(self.min_on_s),
            min_off_us=microseconds(self.min_off_s),
            max_starts=self.max_starts,
            window_us=microseconds(self.window_s),
        )


class TrustRegionModel(CommandModel):
    tiers: ClassVar[tuple[Tier, ...]] = (Tier.T5,)

    kind: Literal["trust_region"]
    setpoint: Name
    distance: NotNegative

    def build(self) -> CommandRule:
        return TrustRegion(**self.common(), setpoint=self.setpoint, distance=self.distance)


class StalenessModel(RuleModel):
    kind: Literal["staleness"]
    signals: Annotated[list[Name], Field(min_length=1)]
    max_age_s: TimeOrZero

    def build(self) -> StateRule:
        return Staleness(**self.common(), signals=tuple(self.signals), max_age_us=microseconds(self.max_age_s))


class TripModel(RuleModel):
    tiers: ClassVar[tuple[Tier, ...]] = (Tier.T1, Tier.T2, Tier.T5)

    kind: Literal["trip"]
    signal: Name
    low: Number
    high: Number
    on_delay_s: TimeOrZero = 0.0
    critical: bool = False

    def build(self) -> StateRule:
        _refuse_reversed(self.id, self.low, self.high)
        return Trip(
            **self.common(),
            signal=self.signal,
            low=self.low,
            high=self.high,
            on_delay_us=microseconds(self.on_delay_s),
            critical=self.critical,
        )


class ReadbackModel(RuleModel):
    kind: Literal["readback"]
    setpoint: Name
    tolerance: NotNegative
    delay_s: TimeOrZero = 0.0

    def build(self) -> StateRule:
        return Readback(
            **self.common(), setpoint=self.setpoint, tolerance=self.tolerance, delay_us=microseconds(self.delay_s)
        )


class RateWindowModel(CommandModel):
    """All movement within `window_s` together."""

    tiers: ClassVar[tuple[Tier, ...]] = (Tier.T4,)

    kind: Literal["rate_window"]
    setpoint: Name
    most: Positive
    window_s: Time

    def build(self) -> CommandRule:
        return RateWindow(
            **self.common(), setpoint=self.setpoint, most=self.most, window_us=microseconds(self.window_s)
        )


class PermissiveModel(CommandModel):
    """What must hold for a discrete setpoint to be raised."""

    tiers: ClassVar[tuple[Tier, ...]] = (Tier.T2, Tier.T3)

    kind: Literal["permissive"]
    setpoint: Name
    require: Text

    def build(self) -> CommandRule:
        return Permissive(
            **self.common(), setpoint=self.setpoint, require=condition_of(self.require, "rule", self.id, "require")
        )


class BudgetModel(CommandModel):
    """Money: `spent + reserved + max_charge <= limit`, or the setpoint is at most `idle`."""

    kind: Literal["budget"]
    setpoint: Name
    spent: Name
    reserved: Name
    limit: Name
    max_charge: Name
    idle: Number = 0.0

    def build(self) -> CommandRule:
        return Budget(**self.common(), **self.ledger())

    def ledger(self) -> dict[str, Any]:
        names = ("setpoint", "spent", "reserved", "limit", "max_charge", "idle")
        return {name: getattr(self, name) for name in names}


class SpendRateModel(BudgetModel):
    """The same over a sliding window, against a multiple of the plan."""

    kind: Literal["spend_rate"]  # type: ignore[assignment]
    most_per_mille: Annotated[int, Field(gt=0, le=1_000_000)]

    def build(self) -> CommandRule:
        return SpendRate(**self.common(), **self.ledger(), most_per_mille=self.most_per_mille)


class WatchdogModel(RuleModel):
    kind: Literal["watchdog"]
    signal: Name
    max_silence_s: Time

    def build(self) -> StateRule:
        return Watchdog(**self.common(), signal=self.signal, max_silence_us=microseconds(self.max_silence_s))


class RecoverabilityModel(RuleModel):
    """`signal + horizon_s * rise_per_s <= high - margin`."""

    tiers: ClassVar[tuple[Tier, ...]] = (Tier.T5,)

    kind: Literal["recoverability"]
    signal: Name
    rise_per_s: Number | Text
    horizon_s: Time
    high: Number
    margin: NotNegative

    def build(self) -> StateRule:
        rise = _limit(self.rise_per_s, self.id, "rise_per_s")
        assert rise is not None
        return Recoverability(
            **self.common(),
            signal=self.signal,
            rise=rise,
            horizon_us=microseconds(self.horizon_s),
            high=self.high - self.margin,
        )


class NoveltyModel(RuleModel):
    tiers: ClassVar[tuple[Tier, ...]] = (Tier.T5,)

    kind: Literal["novelty"]
    signal: Name
    high: Number

    def build(self) -> StateRule:
        return Novelty(**self.common(), signal=self.signal, high=self.high)


AnyRule = Annotated[
    BoundModel
    | InterlockModel
    | RelationModel
    | SlewModel
    | DwellModel
    | TrustRegionModel
    | StalenessModel
    | TripModel
    | ReadbackModel
    | RateWindowModel
    | PermissiveModel
    | BudgetModel
    | SpendRateModel
    | WatchdogModel
    | RecoverabilityModel
    | NoveltyModel,
    Field(discriminator="kind"),
]


def condition_of(text: str, *place: str) -> Condition:
    """The parsed condition of a text at its key path, as `rule`, `DEW`, `when`. Raises SpecError."""
    try:
        return parse_when(text)
    except WhenError as error:
        raise SpecError(error.id, *place, **error.values) from error


def microseconds(seconds: float) -> int:
    return round(seconds * US_PER_S)


def _limit(limit: float | str | None, rule_id: str, key: str) -> Linear | None:
    if limit is None or isinstance(limit, float):
        return None if limit is None else Linear((), limit)
    try:
        return parse_linear(limit)
    except WhenError as error:
        raise SpecError(error.id, "rule", rule_id, key, **error.values) from error


def _refuse_reversed(rule_id: str, low: float, high: float) -> None:
    if low > high:
        raise SpecError("reversed-range", "rule", rule_id, low=low, high=high)
