"""One plant's loop. A tick is one decision; until the next one the command in force is guarded.

    observe -> propose (incumbent and candidate, always) -> decide -> record -> apply

Each value is made once and handed on. The decision and any latch it sets are durable before the command leaves: taking
authority away may act first, giving it is saved first. While nothing can be saved the candidate has no authority, and the
incumbent goes on controlling.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from controller.errors import StateError
from controller.loop import operator_commands
from controller.loop.checkpoint import Checkpoints, LoopState, Override
from controller.loop.decide import decide, settle
from controller.loop.evidence import AUDIT_FAILURE
from controller.loop.guarding import aged, guard_command, in_force, is_driving
from controller.loop.parts import Observed, Parts, Proposed, Tick
from controller.loop.propose import propose
from controller.loop.resume import Catchup, LoopStart, apply_again, start_of
from controller.ports import Event, Outcome
from controller.records.decision import Assignment, Decision
from controller.records.spool_buffer import Ledger
from controller.records.tick_entry import TickEntry
from controller.rollout import blocks
from safety.values import Observation, Receipt, Rung, Signal, Source


class PlantLoop:
    """The loop of one plant. Single-threaded; all it remembers is `state`, and all of that is in the spool."""

    def __init__(self, parts: Parts, start: LoopStart) -> None:
        self.parts = parts
        self.state = start.state
        self.ledger = Ledger(parts.spool)
        self._aged_at_us = start.aged_at_us
        self._measured: tuple[int, Mapping[str, Signal]] = (start.aged_at_us or 0, start.measured or {})
        self._catchup = Catchup(start.recorded)
        self._receipt: Receipt | None = None
        self._checkpoints = Checkpoints()

    @classmethod
    def resume(cls, parts: Parts, fresh: LoopState) -> "PlantLoop":
        """The loop as the spool left it, or a fresh one. A decision that was saved and perhaps not applied is applied again."""
        return cls(parts, start_of(parts, fresh))

    def run(self, until_us: int, keep_going: Callable[[], bool]) -> None:
        """Tick until plant time `until_us`, as long as `keep_going` says so."""
        while keep_going():
            seen = self.parts.plant.observe()
            if seen.taken_at >= until_us:
                break
            if not self._catch_up(seen):
                self.tick(seen)
            self.interval(seen.taken_at)
        if not self.ledger.save(TickEntry(decision=None, receipt=self._receipt)):
            raise StateError(f"the last decisions could not be saved: {self.ledger.why}")

    def tick(self, seen: Observation) -> Decision:
        """One regular decision, after what operators have asked for."""
        self._take_up_intents(seen)
        return self._make_decision(seen, without=frozenset())

    def interval(self, began_us: int) -> None:
        """Guard the command in force until the period is over."""
        envelope, plant = self.parts.envelope, self.parts.plant
        period_us, guard_us = envelope.period_us, envelope.guard_period_us
        end_us = began_us - began_us % period_us + period_us
        for at_us in range(began_us - began_us % guard_us + guard_us, end_us, guard_us):
            plant.advance(at_us)
            self._guard(plant.observe())
        plant.advance(end_us)

    def _make_decision(self, seen: Observation, *, without: frozenset[Source]) -> Decision:
        """One decision, without the sources that a guard has removed."""
        news = self._saved_again(seen)
        observed = self._observe(seen)
        proposed = propose(self.parts, observed)
        without |= self._withheld(observed.outcome)
        tick = self._decide(observed, proposed, without, news)
        if not self._record(tick):
            # Without a record the candidate may not act: decide again, and control the plant.
            observed = replace(observed, before=observed.before.with_cause(AUDIT_FAILURE))
            tick = self._decide(observed, proposed, without, (*news, self._cannot_save(seen)))
            self.ledger.keep(tick.entry)
        self._apply(tick, proposed)
        return tick.decision

    def _observe(self, seen: Observation) -> Observed:
        """Return the start of a decision: the present state, the block's assignment, and the managed inputs."""
        parts, state, at_us = self.parts, self.state, seen.taken_at
        before = replace(
            state,
            memory=in_force(state.memory, seen),
            override=operator_commands.unexpired(state.override, at_us),
            causes=(*state.causes, AUDIT_FAILURE) if self.ledger.failing else state.causes,
        )
        outcome = parts.plant.outcome()
        drawn = blocks.assign(parts.spec, before.rollout, at_us, parts.key)
        seen = replace(seen, subject=f"b{drawn.block:06d}")
        managed = parts.pilot.manage(seen, before.memory, elapsed_us=self._elapsed(seen))
        reported = replace(seen, permitted=managed.observation.permitted)
        return Observed(reported, managed, before, drawn, _assignment(drawn, before.override), outcome)

    def _decide(
        self, observed: Observed, proposed: Proposed, without: frozenset[Source], news: tuple[Event, ...]
    ) -> Tick:
        """The decision and all that follows from it. Nothing is changed yet."""
        decision, ruling = decide(self.parts, observed, proposed, without)
        return settle(
            self.parts,
            observed,
            proposed,
            decision,
            ruling,
            news=news,
            receipt=self._receipt,
            checkpoints=self._checkpoints,
        )

    def _record(self, tick: Tick) -> bool:
        """Save the entry; while the spool is failing, keep it until it can be saved. False if the spool fails just now."""
        if not self.ledger.failing:
            return self.ledger.save(tick.entry)
        self.ledger.keep(tick.entry)
        return True

    def _apply(self, tick: Tick, proposed: Proposed) -> None:
        """Send the command; then have the companions act, and notify the watchers."""
        self.state = tick.state
        self._notify(tick.entry.events)
        self._receipt = self.parts.plant.apply(tick.ruling.command, decision=tick.decision.id)
        self._measured = tick.decision.observation.taken_at, proposed.measured
        self.parts.companions.act(proposed.answers.proposals[1:], proposed.answers.measured[1:])
        for watcher in self.parts.watchers:
            watcher.decided(tick)

    def _guard(self, seen: Observation) -> None:
        """Guard the command in force, and decide at once where that is necessary."""
        if self._catch_up(seen):
            return
        was_driving = is_driving(self.state)
        stopped = self._take_up_intents(seen)
        measured_at_us, measured = self._measured
        watched = guard_command(
            self.state,
            seen,
            self.parts.envelope,
            elapsed_us=self._elapsed(seen),
            measured=aged(measured, seen.taken_at - measured_at_us),
            withdrawn=stopped or self.ledger.failing or (was_driving and not is_driving(self.state)),
        )
        self.state = watched.state
        if watched.decide_now:
            self._make_decision(seen, without=watched.without)

    def _catch_up(self, seen: Observation) -> bool:
        """Whether a simulated plant is behind the record after a restart; what was decided for now is then applied again."""
        if not self._catchup.is_behind(seen):
            return False
        for decision in self._catchup.decided_at(seen.taken_at):
            self._receipt = apply_again(self.parts, decision)
        return True

    def _take_up_intents(self, seen: Observation) -> bool:
        """Carry out what operators asked for; return whether the STOP latch is set."""
        operators = self.parts.operators
        self.state, events = operators.carry_out_pending(self.state, self.parts.envelope, self.parts.spec, seen)
        if events:
            checkpoint = self._checkpoints.encode(self.state)
            entry = TickEntry(decision=None, events=events, checkpoint=checkpoint, durable=True)
            if not self.ledger.save(entry):
                news = () if self.ledger.failing else (self._cannot_save(seen),)
                self.ledger.keep(replace(entry, events=(*events, *news)))
            self._notify(events)
        if not self.ledger.failing:
            operators.settle()
        return operators.stopped

    def _withheld(self, outcome: Outcome) -> frozenset[Source]:
        """Sources that may not act on this tick for reasons outside its inputs: STOP, or a breach on the candidate's watch."""
        breached = outcome.breach_s > 0 and self.state.memory.rung is Rung.CANDIDATE
        return frozenset({Source.CANDIDATE}) if breached or self.parts.operators.stopped else frozenset()

    def _saved_again(self, seen: Observation) -> tuple[Event, ...]:
        """Save what waits, if anything does; the event of it when that works again."""
        if not self.ledger.failing or not self.ledger.catch_up():
            return ()
        lost, self.ledger.lost = self.ledger.lost, 0
        missing = f"; {lost} entries were lost" if lost else ""
        text = f"the record is saved again{missing}"
        return (Event(f"{seen.plant}.{seen.taken_at}.saved-again", seen.taken_at, "alarm", "system", text),)

    def _cannot_save(self, seen: Observation) -> Event:
        text = f"the record cannot be saved, control reverted to the incumbent: {self.ledger.why}"
        return Event(f"{seen.plant}.{seen.taken_at}.cannot-save", seen.taken_at, "alarm", "system", text)

    def _notify(self, events: tuple[Event, ...]) -> None:
        for watcher in self.parts.watchers:
            for event in events:
                watcher.happened(event)

    def _elapsed(self, seen: Observation) -> int:
        """Time since the memory was last aged, on the plant's clock; running backwards counts as zero."""
        before_us, self._aged_at_us = self._aged_at_us, seen.taken_at
        return 0 if before_us is None else max(0, seen.taken_at - before_us)


def _assignment(drawn: blocks.BlockAssignment, override: Override | None) -> Assignment:
    """Return the assignment of a tick: the source drawn for the block, unless an operator overrides it."""
    if override is None:
        return Assignment(Source(drawn.who), drawn.why, drawn.stage, drawn.block, drawn.share)
    source = Source.INCUMBENT if override.setpoints is None else Source.OPERATOR
    why = f"override by {override.actor}: {override.reason}"
    return Assignment(source, why, drawn.stage, drawn.block, drawn.share, override.id)
