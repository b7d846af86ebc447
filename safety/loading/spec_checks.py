"""What no single rule of an envelope can know: names are declared, units agree, every setpoint is ruled.

Each check refuses with one sentence. A permitted set that is not convex cannot even be written: limits are linear, and
conditions may look up signals and discrete setpoints only, which is checked here.
"""

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches

from safety.envelope import Envelope
from safety.inputs import Plausibility, Vote
from safety.loading.messages import SpecError
from safety.loading.when import names_in
from safety.rules.base import CommandRule, FailSafe, Rule
from safety.rules.command_rules import Bound, Dwell, Interlock, Permissive, RateWindow, Relation, Slew, TrustRegion
from safety.rules.conditions import AllOf, AnyOf, Comparison, Condition, Linear, Not
from safety.rules.money_rules import Budget
from safety.rules.state_rules import Novelty, Readback, Recoverability, Staleness, Trip, Watchdog
from safety.values import Tier

# A temperature moves and differs in kelvin.
_DIFFERENCE = {"C": "K"}


def check_envelope(envelope: Envelope) -> None:
    """Raises SpecError on the first thing that does not fit."""
    _check_times(envelope)
    _check_names(envelope)
    _check_inputs(envelope)
    _check_discrete(envelope)
    _check_units(envelope)
    _check_every_setpoint_is_ruled(envelope)
    _check_groups(envelope)
    for entry in envelope.failsafe:
        _check_failsafe(entry, envelope)
    _check_failsafe_order(envelope)


def _check_times(envelope: Envelope) -> None:
    if envelope.valid_for_us < envelope.period_us:
        raise SpecError("validity-below-period", "valid_for_s")
    if envelope.guard_period_us > envelope.period_us:
        raise SpecError("guard-period-above-period", "guard_period_s")


def _check_names(envelope: Envelope) -> None:
    _refuse_doubles("setpoint", (spec.name for spec in envelope.setpoints))
    _refuse_doubles("signal", (spec.name for spec in envelope.signals))
    _refuse_doubles("rule", (rule.id for rule in envelope.rules))
    _refuse_doubles("failsafe", (entry.id for entry in envelope.failsafe))
    signals = {spec.name for spec in envelope.signals}
    discrete = {spec.name for spec in envelope.setpoints if spec.values is not None}
    for both in sorted(signals & envelope.names):
        raise SpecError("name-with-two-meanings", "signal", both)
    known = signals | discrete
    for rule in envelope.rules:
        _refuse_unknown("rule", rule.id, "setpoint", _setpoints(rule), envelope.names)
        for name in sorted(_looked_up(rule) & (envelope.names - discrete)):
            raise SpecError("limit-on-continuous-setpoint", "rule", rule.id, name=name)
        _refuse_unknown("rule", rule.id, "signal or discrete setpoint", _looked_up(rule), known)
    for entry in envelope.failsafe:
        names = set(names_in(entry.when)) if entry.when is not None else set()
        _refuse_unknown("failsafe", entry.id, "signal or discrete setpoint", names, known)


def _check_inputs(envelope: Envelope) -> None:
    units = {spec.name: spec.unit for spec in envelope.signals}
    _refuse_doubles("input", [each.id for each in envelope.inputs] + [rule.id for rule in envelope.rules])
    for each in envelope.inputs:
        kind = "vote" if isinstance(each, Vote) else "plausibility"
        sensors = set(each.sensors) if isinstance(each, Vote) else set()
        agrees = each.agrees if isinstance(each, Plausibility) else None
        looked_up = set(names_in(agrees)) if agrees is not None else set()
        _refuse_unknown(kind, each.id, "signal", {each.signal} | sensors | looked_up, units)
        if each.signal in sensors or (isinstance(each, Vote) and len(sensors) < 3):
            raise SpecError("vote-without-three-sensors", kind, each.id, "sensors")
        shared = tuple(sorted({units[name] for name in {each.signal} | sensors}))
        if len(shared) > 1:
            raise SpecError("vote-with-two-units", kind, each.id, "sensors", units=shared)
        for sums in _comparisons(agrees):
            _refuse_mixed(kind, each.id, sums, units)
    voted = [each.signal for each in envelope.inputs if isinstance(each, Vote)]
    _refuse_doubles("signal", voted, "signal-voted-twice")


def _check_discrete(envelope: Envelope) -> None:
    specs = {spec.name: spec for spec in envelope.setpoints}
    for spec in envelope.setpoints:
        for value in spec.values or ():
            if not spec.low <= value <= spec.high:
                raise SpecError(
                    "discrete-value-out-of-range", "setpoint", spec.name, given=value, low=spec.low, high=spec.high
                )
            if spec.values is not None and spec.values.count(value) > 1:
                raise SpecError("discrete-value-twice", "setpoint", spec.name, given=value)
    for rule in envelope.command_rules:
        if isinstance(rule, Slew | RateWindow) and specs[rule.setpoint].values is not None:
            raise SpecError("discrete-setpoint-slews", "rule", rule.id, name=rule.setpoint)
        if isinstance(rule, Dwell | Permissive) and specs[rule.setpoint].values is None:
            raise SpecError("continuous-setpoint-dwells", "rule", rule.id, name=rule.setpoint)


def _check_units(envelope: Envelope) -> None:
    units = {spec.name: spec.unit for spec in envelope.setpoints} | {spec.name: spec.unit for spec in envelope.signals}
    for rule in envelope.rules:
        for allowed in _units_of(rule, units):
            if rule.unit not in allowed:
                raise SpecError("wrong-unit", "rule", rule.id, "unit", given=rule.unit, expected=allowed[0])
        for sums in _sums(rule):
            _refuse_mixed("rule", rule.id, sums, units)
    for entry in envelope.failsafe:
        for sums in _comparisons(entry.when):
            _refuse_mixed("failsafe", entry.id, sums, units)


def _units_of(rule: Rule, units: dict[str, str]) -> Iterator[tuple[str, ...]]:
    """The units each part of a rule permits: its setpoint's or signal's own, or the one of their differences."""
    match rule:
        case Bound() | Interlock() | Permissive():
            yield (units[rule.setpoint],)
        case Slew() | RateWindow() | TrustRegion() | Readback():
            yield _difference(units[rule.setpoint])
        case Trip() | Recoverability() | Novelty():
            yield (units[rule.signal],)
        case Dwell() | Staleness() | Watchdog():
            yield ("s",)
        case Budget():
            yield (units[rule.setpoint],)
        case Relation():
            # A coefficient other than 1 carries a unit of its own.
            yield from ((units[name],) for name, coefficient in rule.terms if abs(coefficient) == 1.0)
        case _:
            return


def _difference(unit: str) -> tuple[str, ...]:
    return (_DIFFERENCE[unit], unit) if unit in _DIFFERENCE else (unit,)


def _sums(rule: Rule) -> Iterator[tuple[tuple[str, float], ...]]:
    """The terms of a rule that are added or compared, and so must share a unit."""
    if isinstance(rule, Interlock):
        for linear in (rule.low, rule.high):
            if linear is not None:
                yield ((rule.setpoint, 1.0), *linear.terms)
        yield from _comparisons(rule.when)
    elif isinstance(rule, Permissive):
        yield from _comparisons(rule.require)
    elif isinstance(rule, Relation):
        yield rule.limit.terms
    elif isinstance(rule, Budget):
        yield tuple((name, 1.0) for name in rule.looked_up)


def _comparisons(condition: Condition | None) -> Iterator[tuple[tuple[str, float], ...]]:
    match condition:
        case Comparison(left, _, right):
            yield (*left.terms, *right.terms)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _comparisons(part)
        case Not(part):
            yield from _comparisons(part)


def _refuse_mixed(kind: str, name: str, terms: tuple[tuple[str, float], ...], units: dict[str, str]) -> None:
    plain = tuple(sorted({units[each] for each, coefficient in terms if abs(coefficient) == 1.0}))
    if len(plain) > 1:
        raise SpecError("mixed-units", kind, name, units=plain)


def _check_every_setpoint_is_ruled(envelope: Envelope) -> None:
    for spec in envelope.setpoints:
        if not any(
            isinstance(rule, Bound) and rule.tier is Tier.T1 and rule.setpoint == spec.name
            for rule in envelope.command_rules
        ):
            raise SpecError("setpoint-without-bound", "setpoint", spec.name)


def _check_groups(envelope: Envelope) -> None:
    groups = {spec.name: spec.group for spec in envelope.setpoints}
    for rule in envelope.command_rules:
        spanned = tuple(sorted({groups[name] for name in rule.setpoints}))
        if len(spanned) > 1:
            raise SpecError("relation-spans-groups", "rule", rule.id, groups=spanned)


def _check_failsafe(entry: FailSafe, envelope: Envelope) -> None:
    if entry.vector is None:
        return
    if entry.vector.keys() != envelope.names:
        wrong = tuple(sorted(entry.vector.keys() ^ envelope.names))
        raise SpecError("failsafe-wrong-setpoints", "failsafe", entry.id, "vector", names=wrong)
    for spec in envelope.setpoints:
        value = entry.vector[spec.name]
        if not spec.fits(value):
            if spec.values is not None:
                valid = tuple(f"{each:g}" for each in spec.values)
                raise SpecError(
                    "failsafe-not-a-discrete-value", "failsafe", entry.id, "vector",
                    name=spec.name, given=value, valid=valid,
                )  # fmt: skip
            raise SpecError(
                "failsafe-out-of-range", "failsafe", entry.id, "vector",
                name=spec.name, given=value, low=spec.low, high=spec.high, unit=spec.unit,
            )  # fmt: skip
    for rule in envelope.command_rules:
        if not isinstance(rule, Bound) or rule.tier > Tier.T1:
            continue
        value = entry.vector[rule.setpoint]
        if not rule.low <= value <= rule.high:
            raise SpecError(
                "failsafe-breaks-rule", "failsafe", entry.id, "vector",
                name=rule.setpoint, given=value, rule=rule.id, low=rule.low, high=rule.high,
            )  # fmt: skip


def _check_failsafe_order(envelope: Envelope) -> None:
    for entry, following in zip(envelope.failsafe, envelope.failsafe[1:], strict=False):
        if entry.when is None:
            raise SpecError("failsafe-unreachable", "failsafe", following.id, before=entry.id)


def _setpoints(rule: Rule) -> set[str]:
    if isinstance(rule, CommandRule):
        return set(rule.setpoints)
    return {rule.setpoint} if isinstance(rule, Readback) else set()


def _looked_up(rule: Rule) -> set[str]:
    """The signals and discrete setpoints a rule looks up."""
    match rule:
        case Interlock():
            conditions = set(names_in(rule.when)) if rule.when is not None else set()
            return conditions | _terms(rule.low) | _terms(rule.high)
        case Relation():
            return _terms(rule.limit)
        case Staleness():
            return set(rule.signals)
        case Permissive():
            return set(names_in(rule.require))
        case Budget():
            return set(rule.looked_up)
        case Recoverability():
            return {rule.signal} | _terms(rule.rise)
        case Trip() | Watchdog() | Novelty():
            return {rule.signal}
        case _:
            return set()


def _terms(linear: Linear | None) -> set[str]:
    return set() if linear is None else {name for name, _ in linear.terms}


def _refuse_doubles(kind: str, names: Iterable[str], message_id: str = "duplicate") -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SpecError(message_id, kind, name)
        seen.add(name)


def _refuse_unknown(kind: str, name: str, what: str, names: set[str], known: Collection[str]) -> None:
    for given in sorted(names.difference(known)):
        similar = tuple(get_close_matches(given, sorted(known)))
        raise SpecError("unknown-name", kind, name, what=what, given=given, similar=similar)
