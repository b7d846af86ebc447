"""Every message of the loader by its id, and the error that carries one. Ids and values are stable; wording may improve."""

from typing import Any

MESSAGES = {
    # The file
    "file-unreadable": "envelope `{file}` cannot be read: {reason}: give the path of an envelope.toml",
    "file-not-utf8": "envelope `{file}` is not UTF-8 text (byte {byte}): save it as UTF-8",
    "file-too-long": "`{file}` has {given} characters, at most {most} are read: shorten it",
    "file-nested-too-deeply": "`{file}` is nested too deeply for an envelope: write flat tables",
    "file-not-toml": "`{file}` is not understood: {reason}: correct the TOML there",
    # A key and its value
    "missing-key": "required key is missing: add it",
    "unknown-key": "unknown key: remove it or correct its name",
    "unknown-kind": "unknown kind `{given}`; valid: {valid}",
    "unknown-choice": "unknown value `{given}`; valid: {valid}",
    "wrong-type": "`{given}` has the wrong type: write {expected}",
    "malformed-name": "`{given}` is not a valid name: it must match {pattern}",
    "blank-text": "text is blank: write at least one word",
    "text-too-long": "text has more than {most} characters: shorten it",
    "wrong-count": "{given} entries given, expected {expected}: add or remove some",
    "number-out-of-range": "{given} is out of range: write a number {expected}",
    "number-too-large": "{given} is outside -{most:g} to {most:g}: write a number within",
    "number-not-finite": "`{given}` is not a finite number: write a finite one",
    "number-not-exact": "`{given}` has more digits than a number keeps: write `{nearest!r}`",
    "time-not-whole-microseconds": "{given} s is not a whole number of microseconds: give at most six decimals",
    # A condition or a linear term
    "condition-too-long": "condition has {given} characters, at most {most}: name an intermediate signal instead",
    "condition-too-deep": "condition is nested deeper than {most}: name an intermediate signal instead",
    "condition-unknown-text": "`{text}`: not understood from `{given}` on: remove it or correct it",
    "condition-left-over": "`{text}`: `{given}` is left over: join it with `&&` or `||`, or remove it",
    "condition-without-comparison": "`{text}`: add a comparison, one of {valid}",
    "condition-without-operand": "`{text}`: write a number or a name instead of `{given}`",
    "condition-ends-too-early": "`{text}`: ends too early: complete it",
    "condition-unclosed": "`{text}`: `{expected}` is missing: add it",
    "condition-number-times-number": "`{text}`: `{given}` after `*`: a number may multiply a name only",
    "condition-not-linear": "`{text}`: `{given}` after `*`: only a number may multiply a name, conditions are linear",
    # One entry
    "reversed-range": "`low` {low:g} is above `high` {high:g}: swap them",
    "failsafe-without-one-action": "give either `vector` or `relinquish = true`",
    "tier-not-for-kind": "{given} is not a tier of this kind; valid: {valid}",
    "reserved-id": "ids that begin with `T0-` are reserved for the kernel: choose another",
    "policy-tier-binds-any": "T5 binds the policy only: leave out `applies_to` or give T1 or T2",
    "policy-rule-without-policy-tier": "a rule for the policy alone has tier T5, not {given}: write T5",
    "interlock-without-limit": "an interlock needs `low`, `high` or both: add one",
    "zero-coefficient": "the coefficient of `{name}` is 0: leave the setpoint out",
    "slew-without-rate": "may be left out only if `safe_direction` is `{missing}`: add the rate",
    "starts-without-window": "give `max_starts` and `window_s` both, or neither",
    # Entries that do not fit each other
    "validity-below-period": "`valid_for_s` is below `period_s`: a command would expire before the next one is due: raise it",
    "guard-period-above-period": "`guard_period_s` is above `period_s`: the guard looks between decisions: lower it",
    "duplicate": "name is given twice: keep one",
    "signal-voted-twice": "two votes write this signal: keep one",
    "name-with-two-meanings": "name is both a signal and a setpoint: rename one of them",
    "unknown-name": "unknown {what} `{given}`; similar declared names: {similar}: correct the name or declare it",
    "limit-on-continuous-setpoint": (
        "`{name}` is a continuous setpoint: a limit that depends on one makes the permitted set non-convex: "
        "use a `relation` or a signal"
    ),
    "vote-without-three-sensors": "give three sensors, each a different signal, and another name for the result",
    "vote-with-two-units": "units {units}: give sensors and result one unit",
    "discrete-value-out-of-range": "value {given:g} is outside [{low:g}, {high:g}]: remove it or widen the range",
    "discrete-value-twice": "value {given:g} is given twice: keep one",
    "discrete-setpoint-slews": "`{name}` is discrete and cannot slew: give it a `dwell`",
    "continuous-setpoint-dwells": "`{name}` is continuous and cannot dwell: give it a `slew`",
    "wrong-unit": "`{given}` given, expected `{expected}`: correct the unit and check the limits",
    "mixed-units": "units {units} are added or compared: use terms of one unit",
    "setpoint-without-bound": "has no `bound` of tier T1: add one",
    "relation-spans-groups": "spans the veto groups {groups}: use setpoints of one group",
    "failsafe-wrong-setpoints": "setpoints missing or not known: {names}: give a value for every setpoint",
    "failsafe-out-of-range": "`{name}` = {given:g} is outside its range {low:g} to {high:g} {unit}: write one within",
    "failsafe-not-a-discrete-value": "`{name}` = {given:g} is not one of its values; valid: {valid}",
    "failsafe-breaks-rule": "`{name}` = {given:g} breaks rule `{rule}`: keep it within {low:g} to {high:g}",
    "failsafe-unreachable": "can never be taken, `{before}` before it has no `when`: add one to `{before}`",
}


class SpecError(ValueError):
    """An envelope that may not be loaded.

    `id` is a key of MESSAGES; `path` is the key path, as `rule.DEW.low`, entries by name (`#1` if unnamed); `values` are what
    the message names. `str()` is one sentence that says what to do. `origin` is the file, `more` the count of further errors.
    """

    def __init__(self, message_id: str, *place: str, origin: str = "", more: int = 0, **values: Any) -> None:
        self.id, self.path, self.values = message_id, ".".join(place), values
        heads = [f"`{origin}`"] if origin else []
        heads += [" ".join((place[0], f"`{place[1]}`"))] if len(place) > 1 else [f"`{each}`" for each in place]
        heads += [f"`{'.'.join(place[2:])}`"] if len(place) > 2 else []
        text = MESSAGES[message_id].format_map({name: _shown(value) for name, value in values.items()})
        super().__init__(": ".join((*heads, text)) + (f" (and {more} more)" if more else ""))


class WhenError(SpecError):
    """A condition that is not of the language, or a number that a float cannot hold. The message shows where."""


def _shown(value: object) -> object:
    """Several names as a list of quoted ones."""
    return (", ".join(f"`{each}`" for each in value) or "none") if isinstance(value, tuple) else value
