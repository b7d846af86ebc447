"""An example as an operator reads it: names of the plant, engineering units, seconds instead of microseconds."""

from collections.abc import Iterator

from safety.envelope import Envelope
from safety.proof.solver import Example
from safety.rules.base import US_PER_S
from safety.values import Rung, Source

_WHOSE = {
    "last": "the command in force",
    "proposed": "the command judged",
    "target": "the target",
    "step": "the step",
    "kept": "the step with the old discrete values",
    "reference": "the incumbent's own step",
    "readback": "the read-back",
    "applied": "the command the plant reports",
}
_FLAGS = {
    "has_readback": "a read-back is there",
    "has_applied": "the plant reports a command",
    "remembers_last": "a command of this service is in force",
    "local_authority": "the local system is in control",
    "latch_of_an_operator": "an operator's trip is latched",
}
_TIMES = {
    "since_us": "time since the last decision",
    "held_us": "time held so far",
    "elapsed_us": "time since memory was aged",
}
_OF_RULES = {
    "raise": ("since the last raise", True), "lowering": ("since the last lowering", True),
    "outside": ("outside for", True), "disagreeing": ("disagreeing for", True), "silent": ("silent for", True),
    "beat": ("last heartbeat", False), "seen": ("seen before", False), "start": ("age of a start", True),
    "age": ("age of a move", True), "moved": ("moved", False),
}  # fmt: skip


def shown(example: Example, envelope: Envelope) -> Iterator[str]:
    """One line for each number that matters, in the order of names."""
    units = {spec.name: spec.unit for spec in envelope.setpoints} | {spec.name: spec.unit for spec in envelope.signals}
    for name, value in sorted(example.items()):
        line = _line(name, value, units, envelope)
        if line:
            yield line


def shown_exactly(example: Example) -> Iterator[str]:
    """An example about floats, not about a plant: every bit matters, so each number is written to its last bit."""
    for name, value in sorted(example.items()):
        yield f"`{name}` {value!r}" + ("" if isinstance(value, bool) else f" ({float(value).hex()})")


def _line(name: str, value: float | bool, units: dict[str, str], envelope: Envelope) -> str:
    head, _, rest = name.partition(".")
    last = name.rpartition(".")[2]
    if head == "known":
        return "" if value else f"`{rest}` is not known"
    if head == "asks":
        return ""
    if isinstance(value, bool):
        return _flag(head, rest, name, value)
    if head == "signal":
        return f"`{rest}` {value:.6g} {units.get(rest, '')}".rstrip()
    if head == "age_us" and rest:
        return f"`{rest}` was measured {value / US_PER_S:.6g} s ago"
    if head in ("timer", "state"):
        what, is_time = _OF_RULES[last.rstrip("0123456789")]
        amount = f"{value / US_PER_S:.6g} s" if is_time else f"{value:.6g}"
        return f"`{rest.rpartition('.')[0]}` {what} {amount}"
    if last in units:
        whose = _WHOSE.get(name.split(".")[-2], "")
        who = f"{head}: " if head in set(Source) else ""
        return f"{who}{whose or head}: `{last}` {value:.6g} {units[last]}"
    return _plain(name, value, envelope)


def _flag(head: str, rest: str, name: str, value: bool) -> str:
    if not value:
        return (
            f"{head}: no proposal" if rest == "present" else f"{head}: it did not answer" if rest == "answered" else ""
        )
    if head == "latch":
        return f"`{rest}` is latched"
    if head == "without":
        return f"the guard has removed the {rest}"
    return _FLAGS.get(name, "" if rest in ("present", "answered") or "waives" in name else name)


def _plain(name: str, value: float, envelope: Envelope) -> str:
    if name in _TIMES:
        return f"{_TIMES[name]}: {value / US_PER_S:.6g} s"
    if name == "dt_s":
        return f"time of the step: {value:.6g} s"
    if name == "rung":
        return f"the last command came from: {tuple(Rung)[int(value)] if value >= 0 else 'nobody'}"
    if name == "assigned":
        return f"assigned: {tuple(Source)[int(value)]}"
    if name == "failsafe":
        ids = [entry.id for entry in envelope.failsafe]
        return f"fail-safe in force: `{ids[int(value)]}`" if 0 <= value < len(ids) else ""
    if name.endswith("_us"):
        return f"{name.removesuffix('_us').replace('ghost.', 'truly ')}: {value / US_PER_S:.6g} s"
    return f"{name} = {value:.6g}"
