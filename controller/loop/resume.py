"""Going on after a restart: the state as the spool kept it, and commands that were recorded and perhaps not applied."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.loop.checkpoint import LoopState, decode_state
from controller.loop.parts import Parts
from controller.loop.propose import ask_candidate
from controller.records.decision import Decision, proposers_view
from safety.values import Observation, Receipt, Signal

RECOVERED = 64  # decisions a plant may be behind the record after a restart: those of one period


@dataclass(frozen=True, slots=True)
class LoopStart:
    """Where a loop begins: its state, when that was last aged [us of plant time], the last proposal's measures, and
    the last decisions of the record, newest first."""

    state: LoopState
    aged_at_us: int | None = None
    measured: Mapping[str, Signal] | None = None
    recorded: tuple[Decision, ...] = ()


def start_of(parts: Parts, fresh: LoopState) -> LoopStart:
    """The start the spool kept, or a fresh one."""
    last, checkpoint = parts.spool.last_decision(), parts.spool.checkpoint()
    if last is None or checkpoint is None:
        return LoopStart(fresh)
    at_us = last.observation.taken_at
    state = decode_state(checkpoint, last.memory_after, parts.spec, rollout_id=fresh.rollout.rollout_id, now_us=at_us)
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
    return LoopStart(state, at_us, last.measured, tuple(parts.spool.recent(RECOVERED)))


class Catchup:
    """Commands of the record for a simulated plant that is behind it after a restart.

    Each is sent again at its time; the loop decides nothing until the plant has caught up.
    """

    def __init__(self, recorded: tuple[Decision, ...]) -> None:
        self._recorded = recorded

    def is_behind(self, seen: Observation) -> bool:
        """Whether the plant is not past the last decision of the record yet."""
        if self._recorded and self._recorded[0].observation.taken_at < seen.taken_at:
            self._recorded = ()
        return bool(self._recorded)

    def decided_at(self, at_us: int) -> list[Decision]:
        """The recorded decisions of plant time `at_us`."""
        return [decision for decision in self._recorded if decision.observation.taken_at == at_us]


def apply_again(parts: Parts, decision: Decision) -> Receipt:
    """Send the command of a recorded decision again, and have the companions act as they did."""
    answers = ask_candidate(parts, proposers_view(decision, parts.envelope))
    receipt = parts.plant.apply(replace(decision.command, epoch=parts.epoch), decision=decision.id)
    parts.companions.act(answers.proposals[1:], answers.measured[1:])
    parts.plant.outcome()
    return receipt
