"""The rules of a rung as one straight-line function, for the usual case: every signal known, a command in force.

Rule by rule (`decide.judge_rule`) is the meaning; this is the same arithmetic written out (`safety.forms.written`), and a
differential test ties the two together bit by bit. Whatever is not usual (an unknown signal, no last command, no
reference, an error) is answered with None, and then the meaning is asked.
"""

from collections.abc import Callable, Mapping
from functools import cache

from safety.forms.phrases import Phrases
from safety.forms.written import Writer
from safety.ramp import Named
from safety.rules.base import CommandRule, Situation
from safety.values import Setpoints

Margins = Callable[[Setpoints, Setpoints, Situation], tuple[dict[str, float], bool] | None]
Accepts = Callable[[Setpoints, Setpoints, Situation], bool | None]


class Compiled:
    """The functions of one set of rules, made when first asked for. Pickles as its rules.

    `margins`: (target, step, now) -> (the smaller margin of both by rule id, whether all accept), or None: go the plain
    way. `arrived`: the same where target and step are one. `accepts`: whether no rule refuses, or None. `stands`: the
    same where target and step are one, as they are of a command in force. A step that T0 forbids for one of the setpoints
    in `domain` is answered with None by all four.
    """

    __slots__ = ("accepts", "arrived", "domain", "margins", "rules", "stands")

    rules: tuple[CommandRule, ...]
    domain: tuple[Named, ...]
    margins: Margins
    arrived: Margins
    accepts: Accepts
    stands: Accepts

    def __init__(self, rules: tuple[CommandRule, ...], domain: tuple[Named, ...] = ()) -> None:
        self.rules = rules
        self.domain = domain

    def __reduce__(self) -> tuple[object, ...]:
        return Compiled, (self.rules, self.domain)

    def __getattr__(self, name: str) -> Callable[..., object]:
        """A function that is not made yet."""
        if name not in _FORMS:
            raise AttributeError(f"a compiled envelope has no `{name}`")
        write, arrived = _FORMS[name]
        made = _made(write, Phrases(self.rules, self.domain, arrived=arrived))
        setattr(self, name, made)
        return made

    def source(self) -> str:
        """The text of `margins`, to be read."""
        return Writer(Phrases(self.rules, self.domain)).margins()


_FORMS: Mapping[str, tuple[Callable[[Writer], str], bool]] = {
    "margins": (Writer.margins, False),
    "arrived": (Writer.margins, True),
    "accepts": (Writer.accepts, False),
    "stands": (Writer.accepts, True),
}


def _made(write: Callable[[Writer], str], phrases: Phrases) -> Callable[..., object]:
    """The function of a text. `split` is the longer one for targets and steps that differ in what decides about limits;
    it is made when it is first needed."""
    writer = Writer(phrases)
    longer = cache(lambda: _made(write, Phrases(phrases.rules, phrases.domain, split=True)))
    writer.scope["split"] = lambda *judged: longer()(*judged)
    exec(compile(write(writer), "<compiled envelope>", "exec"), writer.scope)  # our own text, written from typed rules
    return writer.scope["compiled"]  # type: ignore[return-value]
