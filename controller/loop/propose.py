"""Asking those who propose: incumbent and candidate always, the operator where there is an override."""

from controller.loop.operator_commands import override_proposal
from controller.loop.parts import Answers, Observed, Parts, Proposed
from safety.values import Observation, Source


def propose(parts: Parts, observed: Observed) -> Proposed:
    """Every proposal for one observation. The candidate's failures are statuses; nothing is raised for them."""
    seen, before = observed.managed.observation, observed.before
    began_us = parts.wall_us()
    own, incumbent_memory = parts.incumbent.propose(seen, before.incumbent)
    proposed_us = parts.wall_us()
    answers = ask_candidate(parts, seen)
    proposals = {
        Source.INCUMBENT: own,
        Source.CANDIDATE: answers.proposals[0],
        **override_proposal(before.override, own, seen.taken_at),
    }
    latencies_us = {"incumbent": proposed_us - began_us, "candidate": parts.wall_us() - proposed_us}
    return Proposed(proposals, incumbent_memory, answers, latencies_us)


def ask_candidate(parts: Parts, seen: Observation) -> Answers:
    """The candidate's answers to the plant's observation and its companions', in one round trip, each measured."""
    observations = [seen, *parts.companions.observations()]
    proposals = parts.candidate.propose(observations)
    measured = [parts.meter(each, answer) for each, answer in zip(observations, proposals, strict=True)]
    return Answers(proposals, measured)
