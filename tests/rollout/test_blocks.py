"""Who gets which block."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.rollout.blocks import assign, candidate_positions
from controller.rollout.state import DRIVING, RolloutState, RolloutStatus
from controller.rollout.transitions import start
from shadow.evidence import Evidence
from tests.rollout.campaign import KEY, demo_spec

SPEC = demo_spec()
FAST = settings(derandomize=True, max_examples=60, deadline=None)


def _at_stage(stage: int, entry: int = 1, first_block: int = 0) -> RolloutState:
    evidence = Evidence.start("b", "p", SPEC.evidence_settings())
    state, _ = start(SPEC, "rollout", evidence, 0)
    return replace(state, stage=stage, entry=entry, first_block=first_block)


@FAST
@given(
    stage=st.integers(1, 5), group=st.integers(0, 50), entry=st.integers(0, 9), key=st.binary(min_size=1, max_size=16)
)
def test_every_group_has_exactly_its_share(stage: int, group: int, entry: int, key: bytes) -> None:
    size, chosen = SPEC.group_of(stage)
    state = _at_stage(stage, entry)
    given_ = [assign(SPEC, state, (group * size + k) * SPEC.block_us, key) for k in range(size)]
    assert sum(a.who == "candidate" for a in given_) == chosen
    assert {(a.group, a.share) for a in given_} == {(group, chosen / size)}
    assert [a.position for a in given_] == list(range(size))


@FAST
@given(stage=st.integers(1, 5), block=st.integers(0, 300), tick=st.integers(0, 47))
def test_a_block_belongs_to_one_controller_throughout(stage: int, block: int, tick: int) -> None:
    state = _at_stage(stage)
    first = assign(SPEC, state, block * SPEC.block_us, KEY)
    assert assign(SPEC, state, block * SPEC.block_us + tick * 300_000_000, KEY) == first


def test_every_position_is_equally_likely() -> None:
    seen = Counter(next(iter(candidate_positions(KEY, "r", "5 %", 1, g, 20, 1))) for g in range(4000))
    assert set(seen) == set(range(20))
    chi_square = sum((n - 200) ** 2 / 200 for n in seen.values())
    assert chi_square < 43.8  # 0.1 % point of chi square with 19 degrees of freedom


def test_every_pair_of_positions_is_equally_likely() -> None:
    seen = Counter(candidate_positions(KEY, "r", "40 %", 1, g, 5, 2) for g in range(4000))
    assert len(seen) == 10
    assert sum((n - 400) ** 2 / 400 for n in seen.values()) < 27.9  # 0.1 % point, 9 degrees of freedom


@pytest.mark.parametrize(
    "other", [(b"another", "r", "5 %", 1), (KEY, "s", "5 %", 1), (KEY, "r", "1 %", 1), (KEY, "r", "5 %", 2)]
)
def test_key_rollout_stage_and_entry_each_change_the_draw(other: tuple[bytes, str, str, int]) -> None:
    def draws(key: bytes, rollout: str, stage: str, entry: int) -> list[frozenset[int]]:
        return [candidate_positions(key, rollout, stage, entry, g, 20, 1) for g in range(30)]

    assert draws(*other) != draws(KEY, "r", "5 %", 1)
    assert draws(*other) == draws(*other)


@pytest.mark.parametrize("status", [s for s in RolloutStatus if s not in DRIVING])
def test_a_state_without_authority_gives_every_block_to_the_incumbent(status: RolloutStatus) -> None:
    state = replace(_at_stage(5), status=status)
    given_ = [assign(SPEC, state, b * SPEC.block_us, KEY) for b in range(40)]
    assert {(a.who, a.share, a.group) for a in given_} == {("incumbent", 0.0, -1)}
    assert status.value in given_[0].why


def test_shadow_gives_the_candidate_nothing() -> None:
    assert {assign(SPEC, _at_stage(0), b * SPEC.block_us, KEY).who for b in range(200)} == {"incumbent"}


def test_a_stage_begins_at_its_first_block() -> None:
    state = _at_stage(5, first_block=7)
    before, first = assign(SPEC, state, 7 * SPEC.block_us - 1, KEY), assign(SPEC, state, 7 * SPEC.block_us, KEY)
    assert (before.who, before.share) == ("incumbent", 0.0)
    assert (first.group, first.position, first.share) == (0, 0, 0.95)
