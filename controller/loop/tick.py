"""One plant's loop: `tick` does the I/O around `decide`, `interval` the guarding until the next tick.

    carry out operators' intents -> observe -> propose (both, always) -> decide -> count the evidence, advance the rollout
    -> append it all in one transaction -> apply

De-escalation acts first, escalation saves first: the decision and any latch it sets are durable before the command leaves.
While nothing can be saved the candidate has no authority, and the incumbent goes on controlling.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from controller.errors import StateError
from controller.loop import operator_commands
from controller.loop.checkpoint import Checkpoints, LoopState, decode_state
from controller.loop.evidence import AUDIT_FAILURE, HARD_VETO, evidence_of
from controller.ports import Candidate, Event, Incumbent, Outcome, Plant, Spool, TickEntry
from controller.records.codec import ruling_digest
from controller.records.decision import Assignment, Decision, Digests, assemble, proposers_view
from controller.records.spool_buffer import Ledger
from controller.rollout.advance import advance
from controller.rollout.blocks import assign
from controller.rollout.spec import RolloutSpec
from controller.rollout.state import RolloutStatus
from safety.decide import decide, situation
from safety.envelope import Envelope, permitted
from safety.guard import Guarded, guard
from safety.inputs import Amended, managed
from safety.values import Memory, Observation, Proposal, Receipt, Ruling, Rung, Signal, Source, Tier
from safety.verify import escaped
from shadow.comparison import Comparison, compare
from shadow.evidence import observe_tick

# Signals about a candidate's proposal rather than the plant, such as how novel it is: what it saw, what it asks -> signals.
Meter = Callable[[Observation, Proposal], Mapping[str, Signal]]
RECOVERED = 64  # decisions a plant may be behind the record after a restart: those of one period


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
    operators: operator_commands.Operators
    digests: Digests
    deadbands: Mapping[str, float]
    epoch: int
    wall_us: Callable[[], int]
    companions: "Companions"
    watchers: "tuple[Watcher, ...]" = ()
    meter: Meter = lambda seen, proposal: {}


class Companions:
    """Further lanes run beside the plant with the same candidate, such as a simulation's twins. By default there are none."""

    def observations(self) -> list[Observation]:
        """What their candidates are to be asked, in the same round trip as the plant's."""
        return []

    def act(self, proposals: list[Proposal], measured: list[Mapping[str, Signal]]) -> None:
        """Command the lanes, given the candidate's answers to `observations` and what was measured of each answer."""


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
        self.ledger = Ledger(parts.spool)
        self._aged_at_us: int | None = None
        self._measured: tuple[int, Mapping[str, Signal]] = (0, {})
        self._receipt: Receipt | None = None
        self._recovered: list[Decision] = []
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
            state = replace(
                fresh,
                memory=state.memory,
                incumbent=state.incumbent,
                override=state.override,
                counters=state.counters,
                unlatching=state.unlatching,
            )
        loop = cls(parts, state)
        loop._aged_at_us, loop._recovered = last.observation.taken_at, parts.spool.recent(RECOVERED)
        loop._measured = loop._aged_at_us, loop._measured_in(last)
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
        if not self.ledger.save(TickEntry(decision=None, receipt=self._receipt)):
            raise StateError(f"the last decisions could not be saved: {self.ledger.why}")

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
        if self._apply_again(seen):
            return
        was_given = is_driving(self.state)
        stopped = self._take_up_intents(seen)
        memory = in_force(self.state.memory, seen)
        known = self._still_measured(seen)
        guarded = guard(known, memory.last, self.parts.envelope, memory, elapsed_us=self._elapsed(seen))
        # A latch is set by the decision that makes it durable, not here.
        kept = guarded.memory
        self.state = self.state.remembering(
            kept if kept.latches == memory.latches else replace(kept, latches=memory.latches)
        )
        withdrawn = stopped or self.ledger.failing or (was_given and not is_driving(self.state))
        removed = guarded.removed | ({Source.CANDIDATE} if withdrawn else frozenset())
        driving = self.state.memory.rung is Rung.CANDIDATE
        if guarded.decide_now or (driving and Source.CANDIDATE in removed):
            if driving and _forbidden(guarded):
                self.state = replace(self.state, causes=(*self.state.causes, HARD_VETO))
            self._decide(seen, without=removed)

    def _decide(self, seen: Observation, *, without: frozenset[Source]) -> Decision:
        told = self._saved_again(seen)
        before = self._before(seen)
        asked = self._ask(seen, before)
        without |= self._withheld(asked.outcome)
        made = self._make(asked, before, without, told)
        if self.ledger.failing or not self.ledger.save(made.entry):
            if not self.ledger.failing:
                # Decided with nothing to show for it: decide again without the candidate, and act.
                before = replace(before, causes=(*before.causes, AUDIT_FAILURE))
                made = self._make(asked, before, without, (*told, self._cannot_save(seen)))
            self.ledger.keep(made.entry)
        self.state = made.state
        self._tell(made.entry.events)
        self._receipt = self.parts.plant.apply(made.ruling.command, decision=made.decision.id)
        self._measured = seen.taken_at, asked.measured[0]
        self.parts.companions.act(asked.answers[1:], asked.measured[1:])
        for watcher in self.parts.watchers:
            watcher.decided(made.decision, made.ruling, made.comparison, self.state)
        return made.decision

    def _before(self, seen: Observation) -> LoopState:
        """The state a decision starts from, as of now."""
        state = self.state
        return replace(
            state,
            memory=in_force(state.memory, seen),
            override=operator_commands.unexpired(state.override, seen.taken_at),
            causes=(*state.causes, AUDIT_FAILURE) if self.ledger.failing else state.causes,
        )

    def _ask(self, seen: Observation, before: LoopState) -> "_Asked":
        """Everything that goes into a decision and can be asked for only once."""
        parts = self.parts
        began_us = parts.wall_us()
        outcome = parts.plant.outcome()
        assignment = self._assignment(before, seen.taken_at)
        elapsed_us = self._elapsed(seen)
        observation, managed_view = self._complete(seen, before, assignment, elapsed_us)
        own, incumbent_memory = parts.incumbent.propose(managed_view, before.incumbent)
        proposed_us = parts.wall_us()
        views = [managed_view, *parts.companions.observations()]
        answers = parts.candidate.propose(views)
        measured = [parts.meter(view, answer) for view, answer in zip(views, answers, strict=True)]
        if measured[0]:
            observation = replace(observation, signals=Amended(observation.signals, measured[0]))
        proposals = {Source.INCUMBENT: own, Source.CANDIDATE: answers[0]}
        proposals |= operator_commands.override_proposal(before.override, own, seen.taken_at)
        latencies = {"incumbent": proposed_us - began_us, "candidate": parts.wall_us() - proposed_us}
        return _Asked(
            observation, assignment, proposals, answers, measured, incumbent_memory, outcome, elapsed_us, latencies
        )

    def _make(self, asked: "_Asked", before: LoopState, without: frozenset[Source], told: tuple[Event, ...]) -> "_Made":
        """The decision, and all that follows from it. Nothing is changed yet."""
        parts = self.parts
        if AUDIT_FAILURE in before.causes:
            without |= {Source.CANDIDATE}
        began_us = parts.wall_us()
        ruling = decide(
            asked.observation,
            asked.proposals,
            asked.assignment.source,
            parts.envelope,
            before.memory,
            elapsed_us=asked.elapsed_us,
            epoch=parts.epoch,
            without=without,
        )
        decision = assemble(
            asked.observation,
            asked.proposals,
            asked.assignment,
            before.memory,
            ruling,
            without=without,
            elapsed_us=asked.elapsed_us,
            digests=parts.digests,
            ruling_digest=ruling_digest(ruling),
            latencies_us={**asked.latencies_us, "decide": parts.wall_us() - began_us},
        )
        comparison = self._compare(decision, ruling)
        state, events = self._settle(decision, ruling, asked, before)
        entry = self._entry(decision, comparison, (*told, *events), state)
        return _Made(decision, ruling, comparison, state, entry)

    def _settle(
        self, decision: Decision, ruling: Ruling, asked: "_Asked", before: LoopState
    ) -> tuple[LoopState, tuple[Event, ...]]:
        """The state after a decision: what is remembered, counted and concluded; and what is to be told of it."""
        parts = self.parts
        applied = ruling.command.setpoints
        tick = evidence_of(decision, ruling, asked.outcome, before, parts.spec, parts.key)
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
        tracked = asked.incumbent_memory
        after = replace(
            before,
            memory=ruling.memory,
            incumbent=parts.incumbent.track(tracked, applied) if applied else tracked,
            rollout=rollout,
            evidence=evidence,
            override=operator_commands.remaining_override(before.override, at_us),
            counters=counters,
            causes=(),
        )
        return after, operator_commands.events_of(effects, before, after, at_us)

    def _entry(
        self, decision: Decision, comparison: Comparison, events: tuple[Event, ...], state: LoopState
    ) -> TickEntry:
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
            checkpoint=self._checkpoints.encode(state),
            durable=latched or bool(events),
        )

    def _saved_again(self, seen: Observation) -> tuple[Event, ...]:
        """Save what waits, if anything does; what is to be told when that works again."""
        if not self.ledger.failing or not self.ledger.catch_up():
            return ()
        lost, self.ledger.lost = self.ledger.lost, 0
        missing = f"; {lost} entries were lost" if lost else ""
        text = f"the record is saved again{missing}"
        return (Event(f"{seen.plant}.{seen.taken_at}.saved-again", seen.taken_at, "alarm", "system", text),)

    def _cannot_save(self, seen: Observation) -> Event:
        text = f"the record cannot be saved, the candidate has lost the plant: {self.ledger.why}"
        return Event(f"{seen.plant}.{seen.taken_at}.cannot-save", seen.taken_at, "alarm", "system", text)

    def _tell(self, events: tuple[Event, ...]) -> None:
        for watcher in self.parts.watchers:
            for event in events:
                watcher.happened(event)

    def _apply_again(self, seen: Observation) -> bool:
        """After a restart a simulated plant may be behind the record: what was decided is sent again at its time, and
        nothing is decided anew until it has caught up."""
        if not self._recovered or self._recovered[0].observation.taken_at < seen.taken_at:
            self._recovered = []
            return False
        for decision in self._recovered:
            if decision.observation.taken_at == seen.taken_at:
                views = [proposers_view(decision, self.parts.envelope), *self.parts.companions.observations()]
                answers = self.parts.candidate.propose(views)
                measured = [self.parts.meter(view, answer) for view, answer in zip(views, answers, strict=True)]
                command = replace(decision.command, epoch=self.parts.epoch)
                self._receipt = self.parts.plant.apply(command, decision=decision.id)
                self.parts.companions.act(answers[1:], measured[1:])
                self.parts.plant.outcome()
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
            self._tell(events)
        if not self.ledger.failing:
            operators.settle()
        return operators.stopped

    def _withheld(self, outcome: Outcome) -> frozenset[Source]:
        """Sources that may not act on this tick for reasons outside its inputs: STOP, or a breach on the candidate's watch."""
        breached = outcome.breach_s > 0 and self.state.memory.rung is Rung.CANDIDATE
        return frozenset({Source.CANDIDATE}) if breached or self.parts.operators.stopped else frozenset()

    def _assignment(self, state: LoopState, at_us: int) -> Assignment:
        drawn = assign(self.parts.spec, state.rollout, at_us, self.parts.key)
        override = state.override
        if override is not None:
            source = Source.INCUMBENT if override.setpoints is None else Source.OPERATOR
            why = f"override by {override.actor}: {override.reason}"
            return Assignment(source, why, drawn.stage, drawn.block, drawn.share, override.id)
        return Assignment(Source(drawn.who), drawn.why, drawn.stage, drawn.block, drawn.share)

    def _complete(
        self, seen: Observation, state: LoopState, assignment: Assignment, elapsed_us: int
    ) -> tuple[Observation, Observation]:
        """The observation with what is permitted now: as the plant gave it, which `decide` judges by and the record keeps,
        and as the input manager passes it on to those who propose."""
        envelope = self.parts.envelope
        view, _ = managed(seen, envelope.inputs, state.memory.rules, elapsed_us)
        allowed = permitted(envelope, situation(view, state.memory, envelope))
        subject = f"b{assignment.block:06d}"
        return replace(seen, subject=subject, permitted=allowed), replace(view, subject=subject, permitted=allowed)

    def _still_measured(self, seen: Observation) -> Observation:
        """An observation between decisions, with what was measured of the last proposal, as old as that is."""
        at_us, measured = self._measured
        if not measured:
            return seen
        age_us = seen.taken_at - at_us
        aged = {name: replace(signal, age_us=age_us) for name, signal in measured.items()}
        return replace(seen, signals=Amended(seen.signals, aged))

    def _measured_in(self, decision: Decision) -> Mapping[str, Signal]:
        """What was measured of the candidate's proposal in a decision of the record."""
        proposal = next(p for p in decision.proposals if p.source is Source.CANDIDATE)
        names = self.parts.meter(proposers_view(decision, self.parts.envelope), proposal).keys()
        return {name: decision.observation.signals[name] for name in names if name in decision.observation.signals}

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


@dataclass(frozen=True, slots=True)
class _Asked:
    """All that goes into one decision. `answers` are the candidate's: to the plant's observation, then to companions';
    `measured` is what the meter says of each."""

    observation: Observation
    assignment: Assignment
    proposals: Mapping[Source, Proposal]
    answers: list[Proposal]
    measured: list[Mapping[str, Signal]]
    incumbent_memory: Mapping[str, object]
    outcome: Outcome
    elapsed_us: int
    latencies_us: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Made:
    """A decision with all that follows from it."""

    decision: Decision
    ruling: Ruling
    comparison: Comparison
    state: LoopState
    entry: TickEntry


def _forbidden(guarded: Guarded) -> bool:
    """Whether a tier that protects equipment or people refuses the command in force; a sensor that is stale does not."""
    return any(f.refuses and f.about != "state" and f.tier in (Tier.T1, Tier.T2) for f in guarded.findings)


def in_force(memory: Memory, seen: Observation) -> Memory:
    """The memory as the plant sees it: a command that it has dropped (expired, or never taken) is not in force."""
    if seen.applied is None and memory.last is not None:
        return replace(memory, last=None, rung=Rung.RELINQUISH)
    return memory


def is_driving(state: LoopState) -> bool:
    """Whether the rollout gives the candidate a share at all."""
    return state.rollout.status in (RolloutStatus.RUNNING, RolloutStatus.WAITING_APPROVAL, RolloutStatus.COMPLETED)
