"""The state rules as one straight-line function, for the usual case: nothing is stale, tripped or disobeyed.

Rule by rule (`decide.observe`) is the meaning. Where every state rule is satisfied this gives the same memory, to the bit;
whatever else is the case is answered with None, and then the meaning is asked.
"""

from collections.abc import Callable, Iterator, Mapping
from math import hypot
from operator import itemgetter

from safety.forms.written import finite
from safety.rules.base import Rule, StateRule, state_of
from safety.rules.state_rules import Novelty, Readback, Staleness, Trip
from safety.values import Observation, Quality, RuleState

States = Mapping[str, RuleState]
Quiet = Callable[[Observation, States, int], dict[str, RuleState] | None]

# The state of a kind that counts how long it has been violated, while it is satisfied.
_SATISFIED: RuleState = (0.0, 0.0)


class Watched:
    """The function of one set of rules, made when first asked for. Pickles as its rules.

    `quiet`: (observation, states, elapsed_us) -> the states `elapsed_us` later, if no state rule has anything to say.
    """

    __slots__ = ("quiet", "rules", "stateful")

    quiet: Quiet

    def __init__(self, rules: tuple[StateRule, ...], stateful: tuple[tuple[Rule, RuleState], ...]) -> None:
        self.rules = rules
        self.stateful = stateful

    def __reduce__(self) -> tuple[object, ...]:
        return Watched, (self.rules, self.stateful)

    def __getattr__(self, name: str) -> Quiet:
        """The function, while it is not made yet."""
        if name != "quiet":
            raise AttributeError(f"watched rules have no `{name}`")
        scope = self._scope()
        exec(compile(self.source(), "<watched rules>", "exec"), scope)  # our own text, written from typed rules
        self.quiet = scope["quiet"]  # type: ignore[assignment]
        return self.quiet

    def source(self) -> str:
        """The text of the function."""
        lines = [*self._signals(), *self._readbacks(), "later = dict(states)", "known = len(later)"]
        lines += ["later.update(satisfied)"] if self._calm() else []
        for at, (rule, _) in enumerate(self.stateful):
            if not _is_written(rule):
                aged = f"aged{at}.aged(state_of(states, aged{at}, fresh{at}), observation, elapsed_us)"
                lines.append(f"later[{rule.id!r}] = {aged}")
        lines.append("if len(later) != known: return None")
        for at, rule in enumerate(self.rules):
            if not _is_written(rule):
                margin = f"rule{at}.margin(observation, later.get({rule.id!r}, ()))"
                lines.append(f"if not {margin} >= 0: return None")
        text = "\n    ".join([*lines, "return later"])
        return f"def quiet(observation, states, elapsed_us):\n    {text}\n"

    def _signals(self) -> Iterator[str]:
        """Every signal looked up is there, good, finite, young and inside its limits."""
        at = {name: f"x{n}" for n, name in enumerate(_looked_up(self.rules))}
        if not at:
            return
        yield "good = GOOD"
        yield "try:"
        yield f"    {', '.join(at.values())} = x_of(observation.signals)"
        yield "except KeyError: return None"
        yield f"if not ({' and '.join(f'{x}.quality is good' for x in at.values())}): return None"
        for rule in self.rules:
            if isinstance(rule, Staleness):
                young = (
                    f"0 <= {at[name]}.age_us and {at[name]}.age_us <= {rule.max_age_us!r}" for name in rule.signals
                )
                yield f"if not ({' and '.join(young)}): return None"
        yield from (f"{x} = {x}.value" for x in at.values())
        yield from finite(list(at.values()))
        for rule in self.rules:
            if isinstance(rule, Trip):
                yield f"if not ({rule.low!r} <= {at[rule.signal]} and {at[rule.signal]} <= {rule.high!r}): return None"
            elif isinstance(rule, Novelty):
                yield f"if not {at[rule.signal]} <= {rule.high!r}: return None"

    def _readbacks(self) -> Iterator[str]:
        """The plant does what it was commanded, if there is a command."""
        rules = [rule for rule in self.rules if isinstance(rule, Readback)]
        if not rules:
            return
        yield "applied, readback = observation.applied, observation.readback"
        yield "if applied:"
        yield "    if not readback: return None"
        yield "    try:"
        yield f"        {', '.join(f't{n}' for n in range(len(rules)))} = t_of(applied)"
        yield f"        {', '.join(f'd{n}' for n in range(len(rules)))} = t_of(readback)"
        yield "    except KeyError: return None"
        near = (f"abs(t{n} - d{n}) <= {rule.tolerance!r}" for n, rule in enumerate(rules))
        yield f"    if not ({' and '.join(near)}): return None"

    def _calm(self) -> dict[str, RuleState]:
        return {rule.id: _SATISFIED for rule, _ in self.stateful if _is_written(rule)}

    def _scope(self) -> dict[str, object]:
        scope: dict[str, object] = {
            "GOOD": Quality.GOOD,
            "hypot": hypot,
            "satisfied": self._calm(),
            "state_of": state_of,
        }
        names = _looked_up(self.rules)
        compared = [rule.setpoint for rule in self.rules if isinstance(rule, Readback)]
        scope |= {"x_of": itemgetter(*names)} if names else {}
        scope |= {"t_of": itemgetter(*compared)} if compared else {}
        scope |= {f"rule{at}": rule for at, rule in enumerate(self.rules)}
        scope |= {f"aged{at}": rule for at, (rule, _) in enumerate(self.stateful)}
        return scope | {f"fresh{at}": fresh for at, (_, fresh) in enumerate(self.stateful)}


def _is_written(rule: Rule) -> bool:
    """Whether a kind is written out; the others are asked."""
    return isinstance(rule, Staleness | Trip | Readback | Novelty)


def _looked_up(rules: tuple[StateRule, ...]) -> list[str]:
    """The signals that the kinds written out look up."""
    names = {name for rule in rules if isinstance(rule, Staleness) for name in rule.signals}
    return sorted(names | {rule.signal for rule in rules if isinstance(rule, Trip | Novelty)})
