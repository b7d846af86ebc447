"""The golden decisions: one file each under `tests/cases/decisions/`, with the sentence it holds."""

from pathlib import Path
from typing import Any

import pytest

from safety.decide import decide
from safety.values import Judgement, Outcome, Ruling, Rung
from tests.safety.golden import US, Case, paths, read


def ruling_of(case: Case) -> Ruling:
    return decide(
        case.observation,
        case.proposals,
        case.assigned,
        case.envelope,
        case.memory,
        elapsed_us=case.elapsed_us,
        epoch=case.epoch,
        without=case.without,
    )


def seen(ruling: Ruling, expect: dict[str, Any]) -> dict[str, Any]:
    """As much of a ruling as a case speaks about, in the words of the case."""
    whole: dict[str, Any] = {
        "rung": ruling.command.rung.value,
        "command": dict(ruling.command.setpoints),
        "epoch": ruling.command.epoch,
        "valid_for_s": ruling.command.valid_for_us / US,
        "removed": [source.value for source in ruling.removed],
        "state": [finding.rule for finding in ruling.state],
        "latches": [latch.rule for latch in ruling.memory.latches],
        "failsafe": ruling.memory.failsafe or "",
        "held_s": ruling.memory.held_us / US,
        "dt_s": ruling.dt_s,
        "timers_s": {name: [us / US for us in state] for name, state in ruling.memory.rules.items()},
        "chosen": judgement_of(ruling.chosen),
    }
    whole |= {judgement.rung.value: judgement_of(judgement) for judgement in ruling.judgements}
    return {name: narrowed(whole[name], wanted) for name, wanted in expect.items()}


def judgement_of(judgement: Judgement) -> dict[str, Any]:
    def rules(*outcomes: Outcome) -> list[str]:
        return sorted({f.rule for f in judgement.verdict.findings if f.outcome in outcomes})

    return {
        "accepted": judgement.verdict.accepted,
        "first_out": judgement.verdict.first_out,
        "waiting": list(judgement.waiting),
        "vetoes": rules(Outcome.VETO, Outcome.ERROR),
        "waived": rules(Outcome.WAIVED),
        "skipped": rules(Outcome.SKIPPED),
    }


def narrowed(value: Any, wanted: Any) -> Any:
    return {name: value[name] for name in wanted} if isinstance(wanted, dict) and wanted else value


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_golden_decision(path: Path) -> None:
    case = read(path)
    expect = dict(case.expect)
    assert seen(ruling_of(case), expect) == expect, case.description


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_a_golden_command_is_never_outside_a_static_limit(path: Path) -> None:
    case = read(path)
    command = ruling_of(case).command
    for rule in case.envelope.command_rules:
        if command.setpoints and hasattr(rule, "low") and isinstance(rule.low, float):
            assert rule.low <= command.setpoints[rule.setpoints[0]] <= rule.high


def test_there_are_enough_golden_decisions_and_every_rung_has_one() -> None:
    cases = [read(path) for path in paths()]
    assert len(cases) >= 30
    assert {case.expect["rung"] for case in cases} == {rung.value for rung in Rung}
    assert all(case.description.endswith(".") for case in cases)
