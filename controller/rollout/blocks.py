"""Who has the next block: permuted groups, positions by keyed hash, a record of the chance."""

import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache

from controller.rollout.spec import RolloutSpec
from controller.rollout.state import DRIVING, RolloutState


@dataclass(frozen=True, slots=True)
class BlockAssignment:
    """Who has the block that a moment lies in, and why. `share` is the chance with which it was the candidate's."""

    who: str
    stage: str
    block: int
    entry: int
    group: int
    position: int
    share: float
    why: str


def block_of(spec: RolloutSpec, at_us: int) -> int:
    """Index of the block that plant time `at_us` lies in."""
    return at_us // spec.block_us


def is_last_tick_of_block(spec: RolloutSpec, at_us: int) -> bool:
    """Whether the next tick lies in another block."""
    return block_of(spec, at_us + spec.period_s * 1_000_000) > block_of(spec, at_us)


def assign(spec: RolloutSpec, state: RolloutState, at_us: int, key: bytes) -> BlockAssignment:
    """Assign the tick at `at_us` to candidate or incumbent. The answer is the same every time, and unpredictable without `key`.

    A stage begins at `state.first_block`; before it, in shadow, and whenever the state gives no authority, the block is
    the incumbent's with share 0.
    """
    block = block_of(spec, at_us)
    name = spec.stages[state.stage].name
    size, chosen = spec.group_of(state.stage)
    why = _withheld(state, block, size)
    if why:
        return BlockAssignment("incumbent", name, block, state.entry, -1, -1, 0.0, why)
    group, position = divmod(block - state.first_block, size)
    drawn = candidate_positions(key, state.rollout_id, name, state.entry, group, size, chosen)
    who = "candidate" if position in drawn else "incumbent"
    return BlockAssignment(who, name, block, state.entry, group, position, chosen / size, "drawn in its group")


def _withheld(state: RolloutState, block: int, size: int) -> str:
    if state.status not in DRIVING:
        return f"the rollout is {state.status.value}"
    if size == 0:
        return "shadow"
    return "the stage begins at the next block" if block < state.first_block else ""


@lru_cache(maxsize=256)
def candidate_positions(
    key: bytes, rollout_id: str, stage: str, entry: int, group: int, size: int, chosen: int
) -> frozenset[int]:
    """The `chosen` of `size` positions in a group that are the candidate's, every subset equally likely.

    HMAC-SHA256 of (rollout, stage, entry, group) is read as a 256-bit number. Its digits in bases size, size - 1, ...
    draw the smaller side without replacement. There are at most 100 blocks, so the bias is negligible.
    """
    message = "\x1f".join((rollout_id, stage, str(entry), str(group))).encode()
    number = int.from_bytes(hmac.new(key, message, hashlib.sha256).digest(), "big")
    places, drawn = list(range(size)), []
    for _ in range(min(chosen, size - chosen)):
        number, digit = divmod(number, len(places))
        drawn.append(places.pop(digit))
    return frozenset(drawn if chosen <= size - chosen else places)
