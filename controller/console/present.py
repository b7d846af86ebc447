"""What the page says, made from the live status: pure, so that every sentence on it can be tested.

Grey is normal. A flag is abnormal and carries a shape and a word besides its colour: ▲ alarm, ◆ warning, ● note.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from controller.protocol.status import CheckStatus, PlantStatus, SignalStatus, TripStatus
from safety.text import first_few

US_PER_S = 1_000_000
STALE_S = 5
ALARM, WARNING, NOTE = "alarm", "warning", "note"
SHAPE = {ALARM: "▲", WARNING: "◆", NOTE: "●"}
RUNGS = {
    "candidate": ("The candidate is in control", NOTE),
    "operator": ("An operator's command is in control", NOTE),
    "incumbent": ("The incumbent is in control", ""),
    "hold": ("The last command is being held", WARNING),
    "failsafe": ("A fail-safe command is in control", ALARM),
    "relinquish": ("The plant is left to its local system", ALARM),
}
UNITS = {"C": "°C", "degC": "°C", "frac": "", "1": "", "count": ""}
CHECKS = {
    "passed": ("✓", "passed", ""),
    "pending": ("…", "not yet", ""),
    "inconclusive": ("?", "inconclusive", WARNING),
    "failed": ("✕", "failed", ALARM),
    "errored": ("!", "could not be measured", WARNING),
}


@dataclass(frozen=True, slots=True)
class Flag:
    """Something abnormal, in words."""

    level: str
    text: str

    @property
    def shape(self) -> str:
        return SHAPE[self.level]


@dataclass(frozen=True, slots=True)
class Banner:
    """The first thing an operator reads: who is in control, how the rollout stands, and everything abnormal."""

    headline: str
    level: str
    rung: str
    facts: tuple[tuple[str, str], ...]
    flags: tuple[Flag, ...]


def banner(live: PlantStatus, now_us: int, reason: str = "") -> Banner:
    """The banner of a status as of wall time `now_us`; `reason` is why the last decision was not the assigned source's."""
    headline, level = RUNGS.get(live.in_control, ("Who is in control is not known", ALARM))
    found = list(flags(live, now_us))
    if reason and live.assigned != live.in_control:
        found.append(Flag(NOTE, f"assigned to the {live.assigned}, but {plain(reason)}"))
    return Banner(headline, level, live.in_control, tuple(_facts(live)), tuple(found))


def _facts(live: PlantStatus) -> Iterator[tuple[str, str]]:
    yield "mode", live.mode
    yield "stage", f"{live.stage or '–'}{f' ({live.stage_status})' if live.stage_status else ''}"
    yield "assigned", f"{live.assigned or '–'}{f': {live.why}' if live.why else ''}"
    yield "trips", str(len(live.trips)) if live.trips else "none"
    yield "override", "in force" if live.override else "none"
    yield "plant time", clock(live.at_us)


def flags(live: PlantStatus, now_us: int) -> Iterator[Flag]:
    """Everything abnormal, alarms first."""
    found = [*_of_control(live, now_us), *_of_plant(live), *_of_service(live, now_us)]
    yield from sorted(found, key=lambda flag: list(SHAPE).index(flag.level))


def _of_control(live: PlantStatus, now_us: int) -> Iterator[Flag]:
    age_s = (now_us - live.wall_us) / US_PER_S
    if age_s > STALE_S:
        yield Flag(ALARM, f"no word from the control process for {span(age_s)}: what follows is old")
    if live.stop.active:
        yield Flag(
            ALARM, f"STOP by {live.stop.actor or 'an unknown operator'}: {live.stop.reason or 'no reason given'}"
        )
    for trip in live.trips:
        yield Flag(ALARM, f"tripped: {trip.first_out or trip.cause}")
    if live.escapes:
        yield Flag(ALARM, f"{live.escapes} commands left the envelope: this must be impossible, call the engineer")
    if live.override is not None:
        yield Flag(WARNING, _override(live))


def _override(live: PlantStatus) -> str:
    override = live.override
    assert override is not None
    what = "the candidate is refused" if override.reject else "an operator's command stands"
    until = "" if override.until_us is None else f" until {clock(override.until_us)}"
    return f"override by {override.actor}: {what}{until} ({override.reason})"


def _of_plant(live: PlantStatus) -> Iterator[Flag]:
    outside = [name for name, signal in live.signals.items() if limit_state(signal) == ALARM]
    if outside:
        yield Flag(ALARM, f"outside limits: {first_few(outside, 4)}")
    degraded = Counter(signal.quality for signal in live.signals.values() if signal.quality != "good")
    for quality, count in sorted(degraded.items()):
        names = [name for name, signal in live.signals.items() if signal.quality == quality]
        yield Flag(WARNING, f"{count} {'signal is' if count == 1 else 'signals are'} {quality}: {first_few(names, 4)}")


def _of_service(live: PlantStatus, now_us: int) -> Iterator[Flag]:
    if live.store.away:
        since = live.store.last_ok_wall_us
        how_long = f" for {span((now_us - since) / US_PER_S)}" if since else ""
        yield Flag(
            WARNING,
            f"the store is not reachable{how_long}: control continues, {live.store.lag} rows wait in the spool until it returns",
        )
    if live.policy.state != "up":
        yield Flag(WARNING, f"the candidate's process is {live.policy.state}: the incumbent acts")


def limit_state(signal: SignalStatus) -> str:
    """`alarm` outside its limits, `unknown` without a value, else empty."""
    if signal.value is None:
        return "unknown"
    low, high = signal.low, signal.high
    inside = (low is None or low <= signal.value) and (high is None or signal.value <= high)
    return "" if inside else ALARM


def check(one: CheckStatus) -> tuple[str, str, str]:
    """Shape, word and level of a gate's check."""
    return CHECKS.get(one.outcome.lower(), ("!", one.outcome, WARNING))


def trip_words(trip: TripStatus) -> str:
    """Say whether an operator may reset a trip, and how many people that takes."""
    if trip.active:
        return "its cause is still there: it cannot be reset yet"
    return "critical: the reset takes two people" if trip.critical else "the cause is gone: it may be reset"


def clock(at_us: int | None, zone: str = " UTC") -> str:
    """A time as operators write it."""
    if not at_us:
        return "–"
    return datetime.fromtimestamp(at_us / US_PER_S, UTC).strftime("%d %b %H:%M") + zone


def unit(name: str) -> str:
    """A unit as it is written on a page; configuration files spell it in ASCII."""
    return UNITS.get(name, name)


def plain(text: str) -> str:
    """A sentence of the log as it reads on a page: names need no backticks there."""
    return text.replace("`", "").replace(" degC", " °C").replace(" C is", " °C is")


def span(seconds: float) -> str:
    """A length of time in its largest whole unit."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def amount(value: float | None) -> str:
    """A number with as many digits as an operator reads."""
    if value is None:
        return "–"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:,.0f}"


def place(value: float | None, low: float | None, high: float | None, width: float = 100.0) -> float | None:
    """Return the position of a value on a bar of `width` whose middle three fifths are its band; None without a band."""
    if value is None or low is None or high is None or high <= low:
        return None
    at = 0.2 + 0.6 * (value - low) / (high - low)
    return width * min(1.0, max(0.0, at))


def moved(before: Mapping[str, float] | None, setpoints: Mapping[str, float]) -> str:
    """Return one line with the setpoints that a command changed, as far as their displayed digits differ."""
    if not setpoints:
        return "nothing: left to the local system"
    changes = [
        f"{name} {amount(was)} → {amount(value)}"
        for name, value in setpoints.items()
        if amount(was := (before or {}).get(name)) != amount(value)
    ]
    return first_few(changes, 4) or "as before"
