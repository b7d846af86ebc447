"""What the loop must remember besides the envelope's memory, saved with every tick and read back as it was."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from controller.errors import StateError
from controller.rollout import state as rollout_state
from controller.rollout.spec import RolloutSpec
from controller.rollout.state import RolloutState
from safety.values import Memory, Setpoints
from shadow.evidence import Benefit, Evidence, from_plain, parts

SCHEMA = 2


@dataclass(frozen=True, slots=True)
class Override:
    """An operator's own command, or refusal of the candidate, for the next tick or until `until_us`.

    `setpoints` may name some setpoints only; the incumbent's targets complete it. None refuses the candidate instead.
    """

    id: str
    setpoints: Setpoints | None
    standing: bool
    until_us: int
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Counters:
    """What the report counts. `vetoes` are refusals of the candidate by rule, real or hypothetical."""

    ticks: int = 0
    decisions: int = 0
    escapes: int = 0
    guard_decisions: int = 0
    vetoes: Mapping[str, int] = field(default_factory=dict)
    rungs: Mapping[str, int] = field(default_factory=dict)

    def with_veto(self, rules: list[str]) -> "Counters":
        counts = dict(self.vetoes)
        for rule in rules:
            counts[rule] = counts.get(rule, 0) + 1
        return replace(self, vetoes=counts)

    def with_decision(self, rung: str, *, regular: bool) -> "Counters":
        rungs = {**self.rungs, rung: self.rungs.get(rung, 0) + 1}
        return replace(
            self,
            ticks=self.ticks + regular,
            decisions=self.decisions + 1,
            guard_decisions=self.guard_decisions + (not regular),
            rungs=rungs,
        )


@dataclass(frozen=True, slots=True)
class LoopState:
    """One plant's loop between two ticks. `causes` are breaker causes found since the last tick; `unlatching` says who has
    agreed to lift a latch that takes two people, by rule."""

    memory: Memory
    incumbent: Mapping[str, Any]
    rollout: RolloutState
    evidence: Evidence
    override: Override | None = None
    counters: Counters = Counters()
    causes: tuple[str, ...] = ()
    unlatching: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def with_cause(self, cause: str) -> "LoopState":
        """The state with one more breaker cause."""
        return replace(self, causes=(*self.causes, cause))

    def remembering(self, memory: Memory) -> "LoopState":
        """The state with another memory; a guard makes one every 30 s, and `replace` takes twice as long."""
        s = self
        return LoopState(memory, s.incumbent, s.rollout, s.evidence, s.override, s.counters, s.causes, s.unlatching)


@dataclass(frozen=True, slots=True)
class _Stored:
    schema: int
    incumbent: dict[str, Any]
    rollout: dict[str, Any]
    evidence: dict[str, Any]
    override: Override | None
    counters: Counters
    causes: tuple[str, ...]
    unlatching: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    latched: tuple[str, ...] | None = None


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Stored)


class Checkpoints:
    """Writes the checkpoints of one loop. Nine tenths of them change once a block, and are encoded once a block."""

    def __init__(self) -> None:
        self._benefit: Benefit | None = None
        self._encoded = msgspec.Raw()

    def encode(self, state: LoopState) -> bytes:
        """The checkpoint of a loop. The envelope's memory is not in it, it is in the last decision; but for which of its
        latches are still set, for operators lift them between decisions."""
        benefit = state.evidence.benefit
        if benefit is not self._benefit:
            self._benefit, self._encoded = benefit, msgspec.Raw(_ENCODER.encode(benefit))
        return _ENCODER.encode(
            _Stored(
                SCHEMA,
                dict(state.incumbent),
                rollout_state.to_plain(state.rollout),
                parts(state.evidence) | {"benefit": self._encoded},
                state.override,
                state.counters,
                state.causes,
                state.unlatching,
                tuple(latch.rule for latch in state.memory.latches),
            )
        )


def decode_state(checkpoint: bytes, memory: Memory, spec: RolloutSpec, *, rollout_id: str, now_us: int) -> LoopState:
    """The loop's state of a checkpoint. A rollout that cannot be read is TRIPPED; anything else unreadable is refused."""
    try:
        stored = _DECODER.decode(checkpoint)
    except msgspec.MsgspecError as error:
        raise StateError(
            f"the checkpoint cannot be read ({error}): restore the state directory or start a new one"
        ) from error
    if stored.schema not in (1, SCHEMA):
        raise StateError(
            f"the checkpoint has schema {stored.schema}, this version reads 1 and {SCHEMA}: "
            "use the version that wrote it, or start a new state directory"
        )
    if stored.latched is not None:
        memory = replace(memory, latches=tuple(latch for latch in memory.latches if latch.rule in stored.latched))
    return LoopState(
        memory=memory,
        incumbent=stored.incumbent,
        rollout=rollout_state.from_plain(stored.rollout, spec, rollout_id, now_us),
        evidence=from_plain(stored.evidence, tuple(spec.outcome.guard_clips)),
        override=stored.override,
        counters=stored.counters,
        causes=stored.causes,
        unlatching=stored.unlatching,
    )
