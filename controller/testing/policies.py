"""What every `ports.Candidate` and every `ports.Incumbent` must keep to, as suites a test class inherits.

class TestMine(CandidateContract):
    def candidate(self) -> Candidate: ...
    def observation(self, taken_at: int) -> Observation: ...
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from math import isfinite
from typing import Any

import msgspec

from controller.ports import Candidate, Incumbent
from safety.values import Observation, Quality, Setpoints, Signal, Source, Status


class CandidateContract:
    """A healthy candidate: one answer per observation, in order, and nothing it is given is changed."""

    def candidate(self) -> Candidate:
        """A fresh candidate, closed by the suite."""
        raise NotImplementedError

    def observation(self, taken_at: int) -> Observation:
        """An observation with everything this candidate needs; different for different times."""
        raise NotImplementedError

    @contextmanager
    def _opened(self) -> Iterator[Candidate]:
        with closing(self.candidate()) as candidate:
            yield candidate

    def test_there_is_one_proposal_per_observation_in_their_order(self) -> None:
        times = (0, 3_600_000_000, 7_200_000_000)
        with self._opened() as candidate:
            together = candidate.propose([replace(self.observation(t), subject=str(t)) for t in times])
        with self._opened() as candidate:
            alone = [candidate.propose([replace(self.observation(t), subject=str(t))])[0] for t in times]
        assert [proposal.status for proposal in together] == [Status.OK] * 3
        for one, other in zip(together, alone, strict=True):
            assert one.targets.keys() == other.targets.keys()
            assert all(abs(one.targets[name] - other.targets[name]) < 1e-4 for name in one.targets)

    def test_no_observation_gives_no_proposal(self) -> None:
        with self._opened() as candidate:
            assert candidate.propose([]) == []

    def test_the_same_observation_gives_the_same_proposal(self) -> None:
        seen = self.observation(0)
        with self._opened() as candidate:
            first = candidate.propose([seen])
        with self._opened() as candidate:
            assert candidate.propose([seen]) == first

    def test_an_answer_is_the_candidates_and_finite(self) -> None:
        with self._opened() as candidate:
            (proposal,) = candidate.propose([self.observation(0)])
        assert proposal.source is Source.CANDIDATE
        assert proposal.targets
        assert all(isfinite(value) for value in proposal.targets.values())

    def test_without_its_signals_it_proposes_nothing_and_says_why(self) -> None:
        seen = self.observation(0)
        blind = {name: Signal(signal.value, Quality.BAD, signal.age_us) for name, signal in seen.signals.items()}
        with self._opened() as candidate:
            absent, answered = candidate.propose(
                [replace(seen, subject="blind", signals=blind), replace(seen, subject="sighted")]
            )
        assert (absent.status, dict(absent.targets)) == (Status.ABSENT, {})
        assert absent.detail
        assert answered.status is Status.OK

    def test_its_digest_names_it_and_closing_twice_is_harmless(self) -> None:
        candidate = self.candidate()
        assert candidate.digest == candidate.digest != ""
        candidate.close()
        candidate.close()


class IncumbentContract:
    """An incumbent: deterministic, never raises, with a memory that survives a checkpoint to the bit."""

    def incumbent(self) -> Incumbent:
        raise NotImplementedError

    def observation(self, taken_at: int) -> Observation:
        raise NotImplementedError

    def applied(self) -> Setpoints:
        """A command that another controller might have applied."""
        raise NotImplementedError

    def test_it_answers_with_fresh_memory(self) -> None:
        incumbent = self.incumbent()
        proposal, _ = incumbent.propose(self.observation(0), incumbent.fresh)
        assert (proposal.source, proposal.status) == (Source.INCUMBENT, Status.OK)
        assert all(isfinite(value) for value in proposal.targets.values())

    def test_the_same_observation_and_memory_give_the_same_answer(self) -> None:
        incumbent = self.incumbent()
        memory = self._after(incumbent, 3)
        assert incumbent.propose(self.observation(0), memory) == incumbent.propose(self.observation(0), memory)

    def test_its_memory_survives_a_checkpoint(self) -> None:
        incumbent = self.incumbent()
        memory = self._after(incumbent, 3)
        restored = msgspec.msgpack.decode(msgspec.msgpack.encode(memory))
        assert restored == memory
        assert incumbent.propose(self.observation(0), restored) == incumbent.propose(self.observation(0), memory)

    def test_what_it_is_given_stays_as_it_was(self) -> None:
        incumbent = self.incumbent()
        memory = self._after(incumbent, 2)
        before = msgspec.msgpack.encode(memory)
        incumbent.propose(self.observation(0), memory)
        incumbent.track(memory, self.applied())
        assert msgspec.msgpack.encode(memory) == before

    def test_tracking_is_idempotent(self) -> None:
        incumbent = self.incumbent()
        once = incumbent.track(incumbent.fresh, self.applied())
        assert incumbent.track(once, self.applied()) == once

    def test_with_every_sensor_bad_it_answers_soundly_or_fails(self) -> None:
        incumbent = self.incumbent()
        seen = self.observation(0)
        blind = {name: Signal(float("nan"), Quality.BAD, signal.age_us) for name, signal in seen.signals.items()}
        proposal, memory = incumbent.propose(replace(seen, signals=blind), self._after(incumbent, 2))
        assert all(isfinite(value) for value in proposal.targets.values())
        assert bool(proposal.targets) == (proposal.status is Status.OK)
        assert proposal.detail or proposal.targets
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(memory)) == memory

    def _after(self, incumbent: Incumbent, ticks: int) -> Mapping[str, Any]:
        memory = incumbent.fresh
        for tick in range(ticks):
            _, memory = incumbent.propose(self.observation(tick * 300_000_000), memory)
        return memory
