"""The record: a decision goes into bytes and comes out the same, to the bit, for ever."""

from dataclasses import replace
from math import copysign, inf, nan, nextafter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.records.codec import RecordError, decode, encode, ruling_digest
from controller.records.decision import SCHEMA_VERSION, Decision, redecide
from controller.records.replay import ruled_differently
from safety.loading.spec import load_envelope
from safety.values import Proposal, Quality, Signal, Source
from tests.records.record_corpus import RECORDS, decision_of, reworded
from tests.safety.support.golden import CASES, paths, read
from tests.safety.support.seeded import seeded

SMALL = load_envelope(CASES / "envelopes" / "small.toml")


@pytest.fixture
def decision() -> Decision:
    return decision_of(read(CASES / "decisions" / "trip.toml"))


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_golden_decisions_round_trip_and_replay_to_the_bit(path: Path) -> None:
    case = read(path)
    record = encode(decision_of(case))
    again = decode(record)
    assert encode(again) == record
    assert ruling_digest(redecide(again, case.envelope)) == again.ruling_digest


@pytest.mark.parametrize("value", [nan, inf, -inf, -0.0, 5e-324, 1.7976931348623157e308, 0.1])
def test_every_float_survives(decision: Decision, value: float) -> None:
    observation = replace(decision.observation, signals={"x": Signal(value)})
    proposals = (Proposal(Source.CANDIDATE, {"x": value}),)
    again = decode(encode(replace(decision, observation=observation, proposals=proposals)))
    for survived in (again.observation.signals["x"].value, again.proposals[0].targets["x"]):
        assert msgspec.msgpack.encode(survived) == msgspec.msgpack.encode(value)
        assert copysign(1.0, survived) == copysign(1.0, value)


@seeded(200)
@given(
    values=st.dictionaries(st.text(max_size=8), st.floats(), max_size=5),
    ages=st.integers(-(2**62), 2**62),
    detail=st.text(max_size=20),
)
def test_any_signals_and_targets_survive(values: dict[str, float], ages: int, detail: str) -> None:
    decision = decision_of(read(CASES / "decisions" / "accepted.toml"))
    signals = {name: Signal(value, age_us=ages) for name, value in values.items()}
    changed = replace(
        decision,
        observation=replace(decision.observation, signals=signals),
        proposals=(Proposal(Source.CANDIDATE, values, detail=detail),),
    )
    record = encode(changed)
    assert encode(decode(record)) == record


def test_array_library_numbers_are_encoded_as_their_floats(decision: Decision) -> None:
    signals: dict[str, Any] = {"x": Signal(np.float64(0.1))}
    again = decode(encode(replace(decision, observation=replace(decision.observation, signals=signals))))
    assert again.observation.signals["x"].value == 0.1


def test_non_numeric_value_is_refused_when_encoded(decision: Decision) -> None:
    signals: dict[str, Any] = {"x": Signal(object())}  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="plain values"):
        encode(replace(decision, observation=replace(decision.observation, signals=signals)))


def test_integers_in_targets_replay_to_the_bit() -> None:
    case = read(CASES / "decisions" / "timer_run_out.toml")
    proposals = {
        source: replace(
            proposal, targets={name: value if value % 1 else int(value) for name, value in proposal.targets.items()}
        )
        for source, proposal in case.proposals.items()
    }
    again = decode(encode(decision_of(replace(case, proposals=proposals))))
    assert ruling_digest(redecide(again, case.envelope)) == again.ruling_digest


def test_a_truncated_record_is_one_clear_error(decision: Decision) -> None:
    record = encode(decision)
    for length in range(0, len(record), 7):
        with pytest.raises(RecordError, match="not a decision record"):
            decode(record[:length])


@seeded(300)
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused_and_nothing_else(at: int, byte: int) -> None:
    record = bytearray(encode(decision_of(read(CASES / "decisions" / "trip.toml"))))
    record[at % len(record)] = byte
    try:
        read_back = decode(bytes(record)).id
    except RecordError as error:
        read_back = str(error)
    assert read_back


@pytest.mark.parametrize("junk", [b"", b"\x00", b"\xc0", b"\x90", b"not a record", b"\x93\x01\x02\x03", b"\xff" * 64])
def test_malformed_record_is_refused(junk: bytes) -> None:
    with pytest.raises(RecordError, match="not a decision record"):
        decode(junk)


def test_a_record_of_a_newer_version_says_upgrade(decision: Decision) -> None:
    fields = msgspec.msgpack.decode(encode(decision))
    fields[0] = 3
    with pytest.raises(RecordError, match="schema version 3, this build reads 1 to 2: upgrade"):
        decode(msgspec.msgpack.encode([*fields, "a field of the future"]))


def test_a_newer_version_of_another_shape_also_says_upgrade(decision: Decision) -> None:
    with pytest.raises(RecordError, match="schema version 9"):
        decode(msgspec.msgpack.encode([9, {"entirely": "different"}]))


def test_a_field_appended_later_does_not_hide_an_old_record(decision: Decision) -> None:
    whole = replace(decision, measured={"x": Signal(0.5)})
    fields = msgspec.msgpack.decode(encode(whole))
    assert decode(msgspec.msgpack.encode([*fields, "appended"])) == decode(encode(whole))


def test_measures_of_a_proposal_survive(decision: Decision) -> None:
    measured = {"candidate_novelty": Signal(1.5), "other": Signal(-0.0, Quality.STALE, 7)}
    again = decode(encode(replace(decision, measured=measured)))
    assert again.measured == measured
    assert again.observation == decode(encode(decision)).observation
    assert dict(again.signals) == {**again.observation.signals, **measured}


def test_bytes_after_the_record_are_refused(decision: Decision) -> None:
    with pytest.raises(RecordError):
        decode(encode(decision) + b"\x00")


def test_another_ruling_has_another_digest() -> None:
    """Some cases are rulings alike, of zones or campaigns that differ in nothing that counts."""
    rulings = [read(path).ruling() for path in paths()]
    digests = {ruling_digest(ruling) for ruling in rulings}
    assert len(digests) == len({repr(reworded(ruling)) for ruling in rulings}) > len(rulings) / 2


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_ruling_digest_covers_no_wording(path: Path) -> None:
    ruling = read(path).ruling()
    assert ruling_digest(reworded(ruling)) == ruling_digest(ruling)


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_reworded_memory_and_proposals_leave_the_ruling(path: Path) -> None:
    case = read(path)
    proposals = {source: reworded(proposal) for source, proposal in case.proposals.items()}
    again = replace(case, memory=reworded(case.memory), proposals=proposals).ruling()
    assert ruling_digest(again) == ruling_digest(case.ruling())


def test_ruling_digest_changes_with_last_bit_of_margin() -> None:
    ruling = read(CASES / "decisions" / "accepted.toml").ruling()
    chosen = ruling.chosen
    margins = {name: nextafter(margin, inf) for name, margin in chosen.verdict.margins.items()}
    changed = replace(ruling, chosen=replace(chosen, verdict=replace(chosen.verdict, margins=margins)))
    assert ruling_digest(changed) != ruling_digest(ruling)


def test_ruling_digest_ignores_order_of_keys() -> None:
    ruling = read(CASES / "decisions" / "accepted.toml").ruling()
    backwards = dict(reversed(ruling.memory.rules.items()))
    assert list(backwards) != list(ruling.memory.rules)
    assert ruling_digest(replace(ruling, memory=replace(ruling.memory, rules=backwards))) == ruling_digest(ruling)


@pytest.mark.parametrize("path", sorted(RECORDS.glob("*.bin")), ids=lambda path: path.stem)
def test_old_record_of_any_version_is_readable_and_replays(path: Path) -> None:
    """Never write a file here again: an old record that cannot be read is a broken promise."""
    decision = decode(path.read_bytes())
    assert f"v{decision.version}" == path.stem.partition("-")[0]
    assert decision.digests.envelope == SMALL.digest
    assert ruled_differently(decision, redecide(decision, SMALL)) == ()
    assert encode(decision) == path.read_bytes()


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_every_version_has_a_corpus(version: int) -> None:
    assert len(list(RECORDS.glob(f"v{version}-*.bin"))) >= 5
