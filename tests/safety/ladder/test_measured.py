"""Measures of a proposal are judged as signals of the same name are, in every call that takes them."""

from dataclasses import replace
from pathlib import Path

import pytest

from controller.records.codec import ruling_digest
from safety.decide import decide
from safety.envelope import fresh_memory
from safety.guard import guard
from safety.tools.golden_cases import Case
from safety.values import Quality, Ruling, Rung, Signal, Source
from tests.safety.support.golden import paths, read

NOVELTY = "candidate_novelty"
MEASURED = [path for path in paths() if NOVELTY in read(path).observation.signals]


def ruling(case: Case, measured: dict[str, Signal]) -> Ruling:
    rest = {name: signal for name, signal in case.observation.signals.items() if name not in measured}
    return decide(
        replace(case.observation, signals=rest),
        case.proposals,
        case.assigned,
        case.envelope,
        case.memory,
        elapsed_us=case.elapsed_us,
        epoch=case.epoch,
        without=case.without,
        measured=measured,
    )


@pytest.mark.parametrize("path", MEASURED, ids=lambda path: path.stem)
def test_measure_beside_observation_is_judged_as_signal_in_it(path: Path) -> None:
    case = read(path)
    beside = ruling(case, {NOVELTY: case.observation.signals[NOVELTY]})
    assert ruling_digest(beside) == ruling_digest(case.ruling())


def test_measure_hides_a_signal_of_its_name() -> None:
    case = read(next(path for path in MEASURED if path.stem == "cooling_novelty_unknown"))
    assert case.ruling().command.rung is Rung.INCUMBENT
    assert case.observation.signals[NOVELTY].quality is Quality.BAD
    hidden = decide(
        case.observation,
        case.proposals,
        case.assigned,
        case.envelope,
        case.memory,
        elapsed_us=case.elapsed_us,
        epoch=case.epoch,
        measured={NOVELTY: Signal(0.5)},
    )
    assert hidden.command.rung is Rung.CANDIDATE


def test_guard_judges_by_the_last_measure() -> None:
    case = read(next(path for path in MEASURED if path.stem == "cooling_novelty_unknown"))
    envelope, command = case.envelope, case.proposals[Source.CANDIDATE].targets
    memory = replace(fresh_memory(envelope), last=command, rung=Rung.CANDIDATE)
    removed = {
        value: guard(
            case.observation, command, envelope, memory, elapsed_us=0, measured={NOVELTY: Signal(value)}
        ).removed
        for value in (0.5, 1.5)
    }
    assert removed == {0.5: frozenset(), 1.5: frozenset({Source.CANDIDATE})}
