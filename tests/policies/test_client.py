"""Whatever the policy child does, the loop gets a status, and the next answer is never an old one."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from controller.policies.bundle import Bundle
from controller.policies.client import ChildCandidate
from controller.policies.manifest import BundleError
from controller.ports import Candidate
from controller.testing import misbehaving
from controller.testing.policies import CandidateContract
from safety.values import Observation, Proposal, Status
from tests.policies.graphs import Workshop, linear, observation, save

LONG_US = 60_000_000
PERIOD_US = 300_000_000


class TestChildCandidate(CandidateContract):
    @pytest.fixture(autouse=True)
    def _bundle(self, workshop: Workshop) -> None:
        self.bundle = workshop.bundle()

    def candidate(self) -> Candidate:
        return ChildCandidate(self.bundle, deadline_us=None)

    def observation(self, taken_at: int) -> Observation:
        return observation(taken_at)


@pytest.fixture
def bundle(workshop: Workshop) -> Bundle:
    return workshop.bundle()


@contextmanager
def child(bundle: Bundle, how: str, good_asks: int = 0, **settings: int | None) -> Iterator[ChildCandidate]:
    command = misbehaving.command(how, good_asks)
    with closing(ChildCandidate(bundle, command=command, **({"deadline_us": None} | settings))) as candidate:
        yield candidate


def ask(candidate: ChildCandidate, tick: int = 0) -> Proposal:
    (proposal,) = candidate.propose([observation(tick * PERIOD_US)])
    return proposal


@pytest.mark.parametrize(
    ("how", "status", "detail"),
    [
        ("crash", Status.FAILED, "the peer closed"),
        ("leave", Status.FAILED, "the peer closed"),
        ("fault", Status.FAILED, "RuntimeError: the graph raised"),
        ("nan", Status.NOT_FINITE, "nan"),
        ("infinite", Status.NOT_FINITE, "inf"),
        ("wrong_shape", Status.WRONG_SHAPE, "shape [1, 3], wanted [1, 2]"),
        ("garbage", Status.FAILED, "over the limit of"),
        ("stale", Status.FAILED, "did not answer what it was asked"),
    ],
)
def test_a_misbehaviour_is_a_status_and_proposes_nothing(bundle: Bundle, how: str, status: Status, detail: str) -> None:
    with child(bundle, how, good_asks=1) as candidate:
        assert ask(candidate).status is Status.OK
        proposal = ask(candidate, 1)
        assert (proposal.status, dict(proposal.targets)) == (status, {})
        assert detail in proposal.detail


def test_an_answer_after_the_deadline_is_late_and_the_child_lives_on(bundle: Bundle) -> None:
    with child(bundle, "late", deadline_us=5_000, grace_us=LONG_US) as candidate:
        before = candidate.health.pid
        assert ask(candidate).status is Status.LATE
        assert candidate.health.pid == before


def test_without_a_deadline_nothing_is_late(bundle: Bundle) -> None:
    with child(bundle, "late") as candidate:
        assert ask(candidate).status is Status.OK


def test_a_child_that_says_nothing_is_late_and_killed(bundle: Bundle) -> None:
    with child(bundle, "hang", deadline_us=1_000, grace_us=20_000) as candidate:
        before = candidate.health.pid
        assert ask(candidate).status is Status.LATE
        assert candidate.health.pid != before


def test_a_leaking_child_is_killed_at_its_limit(bundle: Bundle) -> None:
    limit = 4 * misbehaving.LEAK_BYTES
    with child(bundle, "leak", rss_limit_bytes=limit) as candidate:
        proposals = [ask(candidate, tick) for tick in range(6)]
        first = next(proposal for proposal in proposals if proposal.status is not Status.OK)
        assert first.status is Status.OVER_MEMORY
        assert candidate.health.rss_bytes < limit


def test_while_a_child_starts_again_the_tick_does_not_wait(bundle: Bundle) -> None:
    with child(bundle, "crash", good_asks=1, deadline_us=LONG_US) as candidate:
        assert [ask(candidate, tick).status for tick in range(2)] == [Status.OK, Status.FAILED]
        assert ask(candidate, 2).detail.startswith("policy child is starting: ")
        assert _until_up(candidate).status is Status.OK


def test_without_a_deadline_a_restart_is_waited_for_so_that_runs_repeat(bundle: Bundle) -> None:
    with child(bundle, "crash", good_asks=2) as candidate:
        statuses = [ask(candidate, tick).status for tick in range(6)]
    assert statuses == [Status.OK, Status.OK, Status.FAILED] * 2


def test_a_child_that_never_answers_is_started_again_ever_more_rarely(bundle: Bundle) -> None:
    with child(bundle, "leave") as candidate:
        details = [ask(candidate, tick).detail for tick in range(9)]
    skipped = [detail.startswith("policy child is down") for detail in details]
    assert skipped == [False, False, True, False, True, True, True, False, True]


def test_a_missing_input_does_not_wake_the_child(bundle: Bundle) -> None:
    with child(bundle, "crash") as candidate:
        (proposal,) = candidate.propose([Observation("test", "plant", 0, {})])
        assert (proposal.status, proposal.detail) == (Status.ABSENT, "signal `hall_c` is missing")
        assert candidate.health.state == "up"


def test_several_observations_take_one_round_trip(bundle: Bundle) -> None:
    with child(bundle, "crash", good_asks=1) as candidate:
        seen = [observation(0, subject=str(i)) for i in range(5)]
        assert [proposal.status for proposal in candidate.propose(seen)] == [Status.OK] * 5
        assert [proposal.status for proposal in candidate.propose(seen)] == [Status.FAILED] * 5


def test_a_child_that_refuses_its_graph_is_one_clear_error(bundle: Bundle) -> None:
    command = misbehaving.command("refuse")
    with pytest.raises(BundleError, match=r"bundle `tiny` cannot be served: .*told to refuse"):
        ChildCandidate(bundle, deadline_us=None, command=command)


def test_a_graph_the_runtime_cannot_load_is_one_clear_error(workshop: Workshop) -> None:
    model = linear()
    model.opset_import[0].version = 999
    with pytest.raises(BundleError, match="the graph cannot be loaded"):
        ChildCandidate(workshop.bundle(save(model)), deadline_us=None)


def test_a_command_that_does_not_exist_is_one_clear_error(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="cannot be served"):
        ChildCandidate(bundle, deadline_us=None, command=("/nowhere/python",))


def test_the_child_ends_when_its_parent_is_gone(bundle: Bundle) -> None:
    candidate = ChildCandidate(bundle, deadline_us=None)
    link = candidate._link
    assert link is not None
    candidate.close()
    assert link._process.returncode == 0


def test_health_tells_what_an_operator_wants_to_know(bundle: Bundle) -> None:
    with closing(ChildCandidate(bundle, deadline_us=None)) as candidate:
        ask(candidate)
        health = candidate.health
        assert (health.state, health.why) == ("up", "")
        assert health.pid > 0
        assert health.rss_bytes > 2**20
    assert candidate.health.state == "down"


def _until_up(candidate: ChildCandidate) -> Proposal:
    for tick in range(3, 2_000):
        proposal = ask(candidate, tick)
        if "starting" not in proposal.detail:
            return proposal
        time.sleep(0.01)
    raise AssertionError("the child did not come up again")
