"""One plant's loop: `tick` does the I/O around `decide`, `interval` the guarding until the next tick.

    take up operators' intents -> observe -> propose (both, always) -> decide -> count the evidence, advance the rollout
    -> append it all in one transaction -> apply

De-escalation acts first, escalation saves first: the decision and any latch it sets are durable before the command leaves.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from controller import operate
from controller.decision import Assignment, Decision, Digests, assemble
from controller.evidence import evidence_of
from controller.loopstate import Checkpoints, LoopState, decode_state
from controller.ports import Candidate, Event, Incumbent, Outcome, Plant, Spool, TickEntry
from controller.record import ruling_digest
from controller.rollout.advance import advance
from controller.rollout.blocks import assign
from controller.rollout.spec import RolloutSpec
from controller.rollout.state import Status
from safety.decide import decide, situation
from safety.envelope import Envelope, permitted
from safety.guard import guard
from safety.values import Memory, Observation, Proposal, Receipt, Ruling, Rung, Source
from safety.verify import escaped
from shadow.comparison import Comparison, compare
from shadow.evidence import observe_tick


@dataclass(frozen=True, slots=True)
class Parts:
    """What a loop is made of; `bootstrap` chooses each."""

    plant: Plant
    incumbent: Incumbent
    candidate: Candidate
    envelope: Envelope
    spec: RolloutSpec
    key: bytes
    spool: Spool
    operators: operate.Operators
    digests: Digests
    deadbands: Mapping[str, float]
    epoch: int
    wall_us: Callable[[], int]
    companions: "Companions"
    watchers: "tuple[Watcher, ...]" = ()


class Companions:
    """Further lanes run beside the plant with the same candidate, such as a simulation's twins. By default there are none."""

    def observations(self) -> list[Observation]:
        """What their candidates are to be asked, in the same round trip as the plant's."""
        return []

    def act(self, proposals: list[Proposal]) -> None:
        """Command the lanes, given the candidate's answers to `observations`."""


class Watcher:
    """Sees every tick after it is durable: metrics, live status. Must be quick and must not raise."""

    def decided(self, decision: Decision, ruling: Ruling, comparison: Comparison, state: LoopState) -> None: ...

    def happened(self, event: Event) -> None: ...

    def began(self, late_s: float) -> None:
        """A tick began `late_s` of wall time after it was due; only a paced plant knows."""


class PlantLoop:
    """The loop of one plant. Single-threaded; all it remembers is `state`, and all of that is in the spool."""

    def __init__(self, parts: Parts, state: LoopState) -> None:
        self.parts = parts
        self.state = state
        self._aged_at_us: int | None = None
        self._receipt: Receipt | None = None
        self._recovered: Decision | None = None
        self._checkpoints = Checkpoints()

    @classmethod
    def resume(cls, parts: Parts, fresh: LoopState) -> "PlantLoop":
        """The loop as the spool left it, or a fresh one. A decision that was saved and perhaps not applied is applied again."""
        last, checkpoint = parts.spool.last_decision(), parts.spool.checkpoint()
        if last is None or checkpoint is None:
            return cls(parts, fresh)
        state = decode_state(
            checkpoint,
            last.memory_after,
            parts.spec,
            rollout_id=fresh.rollout.rollout_id,
            now_us=last.observation.taken_at,
        )
        if state.evidence.bundle != fresh.evidence.bundle:
            # Another candidate: the plant goes on, but nothing the last one has earned or lost is this one's.
            state = replace(fresh, memory=state.memory, incumbent=state.incumbent, counters=state.counters)
        loop = cls(parts, state)
        loop._aged_at_us, loop._recovered = last.observation.taken_at, last
        return loop

    def run(self, until_us: int, keep_going: Callable[[], bool]) -> None:
        """Tick until plant time `until_us`, as long as `keep_going` says so."""
        while keep_going():
            seen = self.parts.plant.observe()
            if seen.taken_at >= until_us:
                break
            if not self._apply_again(seen):
                self.tick(seen)
            self.interval(seen.taken_at)
        self._append(TickEntry(decision=None, receipt=self._receipt))

    def tick(self, seen: Observation) -> Decision:
        """One regular decision."""
        self._take_up_intents(seen)
        return self._decide(seen, without=frozenset())

    def interval(self, began_us: int) -> None:
        """Guard the command in force until the period is over."""
        envelope, plant = self.parts.envelope, self.parts.plant
        period_us, guard_us = envelope.period_us, envelope.guard_period_us
        end_us = began_us - began_us % period_us + period_us
        for at_us in range(began_us - began_us % guard_us + guard_us, end_us, guard_us):
            plant.advance(at_us)
            self._guard(plant.observe())
        plant.advance(end_us)

    def _guard(self, seen: Observation) -> None:
        stopped = self._take_up_intents(seen)
        memory = in_force(self.state.memory, seen)
        guarded = guard(seen, memory.last, self.parts.envelope, memory, elapsed_us=self._elapsed(seen))
        self.state = self.state.remembering(guarded.memory)
        removed = guarded.removed | ({Source.CANDIDATE} if stopped else frozenset())
        driving = self.state.memory.rung is Rung.CANDIDATE
        if guarded.decide_now or (driving and Source.CANDIDATE in removed):
            if driving and not stopped:
                self.state = replace(self.state, causes=(*self.state.causes, "hard_veto"))
            self._decide(seen, without=removed)

    def _decide(self, seen: Observation, *, without: frozenset[Source]) -> Decision:
        parts, before = self.parts, replace(self.state, memory=in_force(self.state.memory, seen))
        began_us = parts.wall_us()
        outcome = parts.plant.outcome()
        elapsed_us = self._elapsed(seen)
        without |= self._withheld(outcome)
        assignment = self._assignment(seen.taken_at)
        observation = self._complete(seen, assignment)
        own, incumbent_memory = parts.incumbent.propose(observation, before.incumbent)
        proposed_us = parts.wall_us()
        answers = parts.candidate.propose([observation, *parts.companions.observations()])
        answered_us = parts.wall_us()
        proposals = {Source.INCUMBENT: own, Source.CANDIDATE: answers[0]}
        proposals |= operate.override_proposal(before.override, own, seen.taken_at)
        ruling = decide(
            observation,
            proposals,
            assignment.source,
            parts.envelope,
            before.memory,
            elapsed_us=elapsed_us,
            epoch=parts.epoch,
            without=without,
        )
        decided_us = parts.wall_us()
        decision = assemble(
            observation,
            proposals,
            assignment,
            before.memory,
            ruling,
            without=without,
            elapsed_us=elapsed_us,
            digests=parts.digests,
            ruling_digest=ruling_digest(ruling),
            latencies_us={
                "incumbent": proposed_us - began_us,
                "candidate": answered_us - proposed_us,
                "decide": decided_us - answered_us,
            },
        )
        comparison = self._compare(decision, ruling)
        events = self._settle(decision, ruling, outcome, incumbent_memory)
        self._append(self._entry(decision, comparison, events))
        self._receipt = parts.plant.apply(ruling.command, decision=decision.id)
        parts.companions.act(answers[1:])
        for watcher in parts.watchers:
            watcher.decided(decision, ruling, comparison, self.state)
        return decision

    def _settle(
        self, decision: Decision, ruling: Ruling, outcome: Outcome, incumbent_memory: Mapping[str, object]
    ) -> tuple[Event, ...]:
        """The state after a decision: what is remembered, counted and concluded. Returns what is to be told of it."""
        parts, before = self.parts, replace(self.state, memory=decision.memory_before)
        applied = ruling.command.setpoints
        tick = evidence_of(decision, ruling, outcome, before, parts.spec, parts.key)
        evidence = observe_tick(before.evidence, tick)
        at_us = decision.observation.taken_at
        rollout, effects = advance(parts.spec, before.rollout, evidence, at_us)
        refused = [f.rule for j in decision.judged if j.rung is Rung.CANDIDATE for f in j.findings if f.refuses]
        counters = before.counters.with_decision(
            ruling.command.rung.value, regular=at_us % parts.envelope.period_us == 0
        )
        if refused:
            counters = counters.with_veto(sorted(set(refused)))
        if escaped(parts.envelope, ruling, before.memory.last):
            counters = replace(counters, escapes=counters.escapes + 1)
        self.state = replace(
            before,
            memory=ruling.memory,
            incumbent=parts.incumbent.track(incumbent_memory, applied) if applied else incumbent_memory,
            rollout=rollout,
            evidence=evidence,
            override=operate.remaining_override(before.override, at_us),
            counters=counters,
            causes=(),
        )
        return operate.events_of(effects, before, self.state, at_us)

    def _entry(self, decision: Decision, comparison: Comparison, events: tuple[Event, ...]) -> TickEntry:
        latched = decision.memory_after.latches != decision.memory_before.latches
        return TickEntry(
            decision=decision,
            receipt=self._receipt,
            comparison={
                "plant": comparison.plant,
                "subject": comparison.subject,
                "taken_at": comparison.taken_at,
                "klass": comparison.klass.value,
                "channels": dict(comparison.channels),
                "flips": list(comparison.flips),
                "in_control": comparison.in_control.value,
                "version": comparison.version,
            },
            events=events,
            checkpoint=self._checkpoints.encode(self.state),
            durable=latched or bool(events),
        )

    def _append(self, entry: TickEntry) -> None:
        self.parts.spool.append(entry)
        self._receipt = None
        for watcher in self.parts.watchers:
            for event in entry.events:
                watcher.happened(event)

    def _apply_again(self, seen: Observation) -> bool:
        """After a restart: if the decision of this very moment is already recorded, send its command and do not decide anew."""
        last, self._recovered = self._recovered, None
        if last is None or last.observation.taken_at < seen.taken_at:
            return False
        answers = self.parts.candidate.propose([last.observation, *self.parts.companions.observations()])
        self._receipt = self.parts.plant.apply(replace(last.command, epoch=self.parts.epoch), decision=last.id)
        self.parts.companions.act(answers[1:])
        self.parts.plant.outcome()
        return True

    def _take_up_intents(self, seen: Observation) -> bool:
        """Carry out what operators asked for; return whether the STOP latch is set."""
        self.state, events = self.parts.operators.take_up(self.state, self.parts.envelope, self.parts.spec, seen)
        if events:
            self._append(
                TickEntry(decision=None, events=events, checkpoint=self._checkpoints.encode(self.state), durable=True)
            )
        self.parts.operators.settle()
        return self.parts.operators.stopped

    def _withheld(self, outcome: Outcome) -> frozenset[Source]:
        """Sources that may not act on this tick for reasons outside its inputs: STOP, or a breach on the candidate's watch."""
        breached = outcome.breach_s > 0 and self.state.memory.rung is Rung.CANDIDATE
        return frozenset({Source.CANDIDATE}) if breached or self.parts.operators.stopped else frozenset()

    def _assignment(self, at_us: int) -> Assignment:
        drawn = assign(self.parts.spec, self.state.rollout, at_us, self.parts.key)
        override = self.state.override
        if override is not None:
            source = Source.INCUMBENT if override.setpoints is None else Source.OPERATOR
            why = f"override by {override.actor}: {override.reason}"
            return Assignment(source, why, drawn.stage, drawn.block, drawn.share, override.id)
        return Assignment(Source(drawn.who), drawn.why, drawn.stage, drawn.block, drawn.share)

    def _complete(self, seen: Observation, assignment: Assignment) -> Observation:
        now = situation(seen, in_force(self.state.memory, seen), self.parts.envelope)
        allowed = permitted(self.parts.envelope, now)
        return replace(seen, subject=f"b{assignment.block:06d}", permitted=allowed)

    def _compare(self, decision: Decision, ruling: Ruling) -> Comparison:
        by_rung = {judgement.rung: judgement for judgement in ruling.judgements}
        seen = decision.observation
        return compare(
            seen.plant,
            seen.subject,
            seen.taken_at,
            by_rung.get(Rung.INCUMBENT),
            by_rung.get(Rung.CANDIDATE),
            decision.memory_before.last,
            ruling.command.rung,
            self.parts.deadbands,
        )

    def _elapsed(self, seen: Observation) -> int:
        """Time since the memory was last aged, on the plant's clock; running backwards counts as zero."""
        before_us, self._aged_at_us = self._aged_at_us, seen.taken_at
        return 0 if before_us is None else max(0, seen.taken_at - before_us)


def in_force(memory: Memory, seen: Observation) -> Memory:
    """The memory as the plant sees it: a command that it has dropped (expired, or never taken) is not in force."""
    if seen.applied is None and memory.last is not None:
        return replace(memory, last=None, rung=Rung.RELINQUISH)
    return memory


def is_driving(state: LoopState) -> bool:
    """Whether the rollout gives the candidate a share at all."""
    return state.rollout.status in (Status.RUNNING, Status.WAITING_APPROVAL, Status.COMPLETED)


__all__ = ["Companions", "Parts", "PlantLoop", "Watcher", "is_driving"]
