"""What is proved of timers, windows, rates and money: one step of induction each.

Every proof carries ghosts: the true ages and movements, which nobody stores. The invariant says that what is remembered
is never more favourable than the truth; it holds after one more step; and from it follows what the rule promises.
That what is sent satisfies the rules, other than what is recorded as waived, is `emitted/RUNG`.
"""

from collections.abc import Iterator
from math import inf

import z3

from safety.envelope import Envelope
from safety.proof.replay import situation_of, vector_of
from safety.proof.solver import Example, Ground, Obligation, Replay, Seeded, prove
from safety.proof.symbolic_rules import (
    World,
    affordable,
    in_range,
    moved_in_window,
    number,
    sane,
    satisfied,
    slots,
    vector,
    world,
)
from safety.rules.base import US_PER_S, CommandRule
from safety.rules.command_rules import Dwell, RateWindow, Slew
from safety.rules.money_rules import Budget
from safety.rules.state_rules import Staleness, Trip, Watchdog
from safety.values import Observation, Quality, Signal

_PROPOSED = "proposed"


def time_is_kept(envelope: Envelope) -> Iterator[Obligation]:
    """One obligation for each rule that remembers, counts, or looks at an age."""
    at = world(envelope)
    possible = Ground([*at.assumed, *in_range(envelope, vector(envelope, _PROPOSED))])
    for rule in envelope.command_rules:
        if isinstance(rule, Dwell):
            yield _dwell_is_kept(rule, at, possible, envelope)
        elif isinstance(rule, RateWindow):
            yield _window_is_kept(rule, at, possible, envelope)
        elif isinstance(rule, Slew):
            yield _rate_is_kept(rule, at, possible, envelope)
        elif isinstance(rule, Budget):
            yield _money_is_kept(rule, at, possible, envelope)
    for state_rule in envelope.state_rules:
        if isinstance(state_rule, Staleness):
            yield _news_are_fresh(state_rule, envelope)
        elif isinstance(state_rule, Watchdog):
            yield _silence_is_counted(state_rule)
        elif isinstance(state_rule, Trip) and state_rule.on_delay_us:
            yield _delay_is_counted(state_rule)


def _dwell_is_kept(rule: Dwell, at: World, possible: Ground, envelope: Envelope) -> Obligation:
    proposed, timers, elapsed = vector(envelope, _PROPOSED), at.timers[rule.id], z3.Real("ghost.elapsed")
    ghosts = slots(rule, envelope, "ghost")
    raised = proposed[rule.setpoint] > at.last[rule.setpoint]
    lowered = proposed[rule.setpoint] < at.last[rule.setpoint]
    remembered = _never_ahead(timers, ghosts)
    after = _never_ahead(
        _after_change(timers, raised, lowered, elapsed), _after_change(ghosts, raised, lowered, elapsed)
    )

    def kept(more: int) -> z3.BoolRef:
        waits = [ghosts[1] >= rule.min_off_us + more]
        waits += [ghosts[-1] >= rule.window_us + more] if rule.max_starts else []
        return z3.And(z3.Implies(raised, z3.And(waits)), z3.Implies(lowered, ghosts[0] >= rule.min_on_us + more))

    sure = z3.And(satisfied(rule, proposed, at), remembered, elapsed >= 0, *sane(rule, ghosts))
    starts = f", and at most {rule.max_starts} starts in any {rule.window_us / US_PER_S:g} s" if rule.max_starts else ""
    says = f"under `{rule.id}` no change comes sooner after the last than it says{starts}"
    seeded = Seeded("timers that run a microsecond fast", z3.Implies(sure, z3.And(after, kept(1))))
    replay = _judged_too_kindly(rule, envelope)
    claim = z3.Implies(sure, z3.And(after, kept(0)))
    return prove(f"induction/{rule.id}", says, possible, claim, seeded, replay=replay)


def _after_change(
    timers: tuple[z3.ArithRef, ...], raised: z3.BoolRef, lowered: z3.BoolRef, elapsed: z3.ArithRef
) -> tuple[z3.ArithRef, ...]:
    """As `Dwell.applied` and then `aged`: a start takes the youngest slot and moves the others on by one."""
    zero = z3.RealVal(0)
    starts = timers[2:]
    moved_on = [z3.If(raised, younger, start) for younger, start in zip((zero, *starts), starts, strict=False)]
    changed = (z3.If(raised, zero, timers[0]), z3.If(lowered, zero, timers[1]), *moved_on)
    return tuple(timer + elapsed for timer in changed)


def _never_ahead(remembered: tuple[z3.ArithRef, ...], true: tuple[z3.ArithRef, ...]) -> z3.BoolRef:
    return z3.And([mine <= ghost for mine, ghost in zip(remembered, true, strict=True)])


def _window_is_kept(rule: RateWindow, at: World, possible: Ground, envelope: Envelope) -> Obligation:
    """K slots: every move younger than the window is in one; after the step, and after ageing, the sum is still within."""
    proposed, timers, elapsed = vector(envelope, _PROPOSED), at.timers[rule.id], z3.Real("ghost.elapsed")
    step = proposed[rule.setpoint] - at.last[rule.setpoint]
    distance = z3.If(step >= 0, step, -step)
    applied = (*timers, z3.RealVal(0), distance)
    later = tuple(value + elapsed if place % 2 == 0 else value for place, value in enumerate(applied))
    most = number(rule.most)
    sure = z3.And(satisfied(rule, proposed, at), moved_in_window(rule, timers) <= most, elapsed >= 0)
    now, then = moved_in_window(rule, applied), moved_in_window(rule, later)
    slots_used = len(timers) // 2
    says = (
        f"under `{rule.id}` all movement in any {rule.window_us / US_PER_S:g} s together is at most {rule.most:g} "
        f"{rule.unit} ({slots_used} moves remembered and one more)"
    )
    forgetful = moved_in_window(rule, timers[2:]) + distance <= most
    seeded = Seeded(
        "a window in which the oldest move is forgotten", z3.Implies(z3.And(forgetful, elapsed >= 0), now <= most)
    )
    claim = z3.Implies(sure, z3.And(now <= most, then <= most))
    return prove(f"induction/{rule.id}", says, possible, claim, seeded, replay=_judged_too_kindly(rule, envelope))


def _rate_is_kept(rule: Slew, at: World, possible: Ground, envelope: Envelope) -> Obligation:
    """The time of a step is at most what has passed, and at most a period: so the rate holds on any path."""
    proposed, passed_s = vector(envelope, _PROPOSED), z3.Real("ghost.passed_s")
    moved = proposed[rule.setpoint] - at.last[rule.setpoint]
    rates = [(rate, way) for rate, way in ((rule.up_per_s, moved), (rule.down_per_s, -moved)) if rate != inf]
    sure = z3.And(satisfied(rule, proposed, at), passed_s >= at.dt_s)

    def kept(times: int) -> z3.BoolRef:
        return z3.Implies(sure, z3.And([way * times <= number(rate) * passed_s for rate, way in rates]))

    says = f"no step under `{rule.id}` is faster than it says, whatever the gap before it"
    seeded = Seeded("a rate twice as slow as what is judged", kept(2))
    return prove(f"induction/{rule.id}", says, possible, kept(1), seeded, replay=_judged_too_kindly(rule, envelope))


def _money_is_kept(rule: Budget, at: World, possible: Ground, envelope: Envelope) -> Obligation:
    proposed = vector(envelope, _PROPOSED)
    spends = z3.And(satisfied(rule, proposed, at), proposed[rule.setpoint] > number(rule.idle))
    known = [at.known[name] for name in rule.looked_up]
    says = f"nothing is bid under `{rule.id}` that could be charged beyond it, and nothing while any of it is unknown"
    charged = z3.And(affordable(rule, at), *known)
    spare = at.signals[rule.spent] + at.signals[rule.reserved] + at.signals[rule.max_charge] < at.signals[rule.limit]
    seeded = Seeded("a limit one micro lower than what is judged", z3.Implies(spends, z3.And(charged, spare)))
    replay = _judged_too_kindly(rule, envelope)
    return prove(f"money/{rule.id}", says, possible, z3.Implies(spends, charged), seeded, replay=replay)


def _judged_too_kindly(rule: CommandRule, envelope: Envelope) -> Replay:
    """Whether the kernel accepts a step of which the formula says that it breaks what the rule promises."""

    def replay(example: Example) -> str | None:
        margin = rule.margin(vector_of(example, _PROPOSED, envelope), situation_of(example, envelope))
        return f"the kernel accepts it, with {margin:.6g} to spare" if margin >= 0 else None

    return replay


def _news_are_fresh(rule: Staleness, envelope: Envelope) -> Obligation:
    """Prove how old a signal in force can get: found fresh by a decision or a guard, and read again within a guard period."""
    age, later, known = z3.Real("age_us"), z3.Real("ghost.since_looked_us"), z3.Bool("known")
    seen_fresh = z3.And(known, age >= 0, age <= rule.max_age_us)
    oldest_us = rule.max_age_us + envelope.guard_period_us
    sure = [later >= 0, later <= envelope.guard_period_us]
    says = (
        f"under `{rule.id}` nothing is commanded on news older than {rule.max_age_us / US_PER_S:g} s, and no command stands "
        f"unlooked at on news older than {oldest_us / US_PER_S:g} s"
    )
    claim = z3.Implies(seen_fresh, z3.And(known, age <= rule.max_age_us, age + later <= oldest_us))
    seeded = Seeded("a guard that does not look", z3.Implies(seen_fresh, age + later <= rule.max_age_us))

    def replay(example: Example) -> str | None:
        age_us = round(float(example.get("age_us", 0)))
        quality = Quality.GOOD if example.get("known", False) else Quality.BAD
        signals = {name: Signal(0.0, quality, age_us) for name in rule.signals}
        return "the kernel accepts it" if rule.margin(_observing(signals), ()) >= 0 else None

    return prove(f"induction/{rule.id}", says, sure, claim, seeded, replay=replay)


def _silence_is_counted(rule: Watchdog) -> Obligation:
    """The ghost is how long the beat has truly been the same, or unknown. What is counted is never less."""
    silent, true, elapsed = z3.Real("silent_us"), z3.Real("ghost.silent_us"), z3.Real("elapsed_us")
    beats = z3.Bool("beat_changed")
    counted = z3.If(beats, z3.RealVal(0), silent + elapsed)
    truly = z3.If(beats, z3.RealVal(0), true + elapsed)
    in_time = counted <= rule.max_silence_us
    says = f"under `{rule.id}` a heartbeat silent for more than {rule.max_silence_us / US_PER_S:g} s is always noticed"
    sure = [silent >= true, true >= 0, elapsed >= 0]
    claim = z3.And(counted >= truly, z3.Implies(in_time, truly <= rule.max_silence_us))
    restarted = z3.If(beats, z3.RealVal(0), elapsed)
    seeded = Seeded("a count that restarts on every look", z3.And(restarted >= truly))

    def replay(example: Example) -> str | None:
        before, more = float(example.get("silent_us", 0)), round(float(example.get("elapsed_us", 0)))
        beat = 1.0 if example.get("beat_changed", False) else 0.0
        after = rule.aged((0.0, before), _observing({rule.signal: Signal(beat)}), more)
        missed = beat == 0.0 and after[1] < before + more
        return f"{after[1] / US_PER_S:g} s are counted of {(before + more) / US_PER_S:g} s" if missed else None

    return prove(f"induction/{rule.id}", says, sure, claim, seeded, replay=replay)


def _delay_is_counted(rule: Trip) -> Obligation:
    """The ghost is how long the signal has been seen outside. The delay never takes longer than it says, from first sight."""
    outside, true, elapsed = z3.Real("outside_us"), z3.Real("ghost.outside_us"), z3.Real("elapsed_us")
    seen, inside = z3.Bool("seen_outside"), z3.Bool("inside")
    counted = z3.If(inside, z3.RealVal(0), z3.If(seen, outside + elapsed, z3.RealVal(0)))
    truly = z3.If(inside, z3.RealVal(0), z3.If(seen, true + elapsed, z3.RealVal(0)))
    trips = z3.And(z3.Not(inside), counted >= rule.on_delay_us)
    due = z3.And(z3.Not(inside), truly >= rule.on_delay_us)
    says = f"`{rule.id}` trips once its signal was seen outside for {rule.on_delay_us / US_PER_S:g} s, and not before"
    sure = [outside == true, true >= 0, elapsed >= 0]
    restarted = z3.And(z3.Not(inside), elapsed >= rule.on_delay_us)
    seeded = Seeded("a delay that restarts on every look", restarted == due)

    def replay(example: Example) -> str | None:
        before, more = float(example.get("outside_us", 0)), round(float(example.get("elapsed_us", 0)))
        value = rule.low if example.get("inside", False) else rule.high + 1.0
        state = (before, 1.0 if example.get("seen_outside", False) else 0.0)
        after = rule.aged(state, _observing({rule.signal: Signal(value)}), more)
        wanted = 0.0 if value == rule.low or not state[1] else before + more
        return f"{after[0]:g} us are counted of {wanted:g}" if after[0] != wanted else None

    return prove(f"induction/{rule.id}", says, sure, z3.And(counted == truly, trips == due), seeded, replay=replay)


def _observing(signals: dict[str, Signal]) -> Observation:
    return Observation("plant", "plant", 0, signals)
