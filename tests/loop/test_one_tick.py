"""In one decision each value is made once: managed inputs, the block's assignment, the stage's gate."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.loop.parts import Tick, Watcher
from controller.loop.pilot import Pilot
from controller.plants.cooling.incumbent import FixedIncumbent
from controller.ports import Companions
from controller.records.codec import ruling_digest
from controller.rollout import blocks, gates
from safety import inputs
from safety.decide import decide
from safety.inputs import manage
from safety.values import Rung, Signal, Source
from tests.loop.scripted_candidates import hall
from tests.safety.support.golden import CASES, read

NOVELTY = "candidate_novelty"


class Watching(Watcher):
    """Keeps every tick, having asked for its gate."""

    def __init__(self) -> None:
        self.ticks: list[Tick] = []

    def decided(self, tick: Tick) -> None:
        assert tick.gate() is tick.gate()
        self.ticks.append(tick)


@pytest.mark.parametrize(("module", "name"), [(inputs, "managed"), (blocks, "assign"), (gates, "judge")])
def test_value_is_made_once_per_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    calls: Counter[str] = Counter()
    original = getattr(module, name)

    def counted(*given: Any) -> Any:
        calls[name] += 1
        return original(*given)

    watching = Watching()
    with hall(tmp_path, driving=False) as running:
        running.loop.parts = replace(running.loop.parts, watchers=(watching,), companions=Companions())
        monkeypatch.setattr(module, name, counted)
        running.loop.tick(running.plant.observe())
    assert len(watching.ticks) == 1
    assert calls == {name: 1}


def test_record_keeps_the_observation_as_reported(tmp_path: Path) -> None:
    with hall(tmp_path) as running:
        reported = running.plant.observe()
        decision = running.loop.tick(reported)
        assert decision.observation == replace(
            reported, subject=decision.observation.subject, permitted=decision.observation.permitted
        )
        assert decision.measured == {NOVELTY: Signal(0.5)}
        assert running.spool.recent(1)[0].measured == decision.measured


@pytest.mark.parametrize("assigned", [Source.INCUMBENT, Source.CANDIDATE])
def test_pilot_rules_as_the_kernel_does(assigned: Source) -> None:
    case = read(CASES / "decisions" / "cooling_novelty_unknown.toml")
    own, candidate = case.proposals[Source.INCUMBENT], case.proposals[Source.CANDIDATE]
    pilot = Pilot(case.envelope, FixedIncumbent(own.targets))
    measured = {NOVELTY: Signal(0.5)}
    managed = pilot.manage(case.observation, case.memory, elapsed_us=case.elapsed_us)
    flown = pilot.fly(managed, {"kept": 1}, candidate, assigned=assigned, measured=measured)
    ruling = decide(
        case.observation,
        case.proposals,
        assigned,
        case.envelope,
        case.memory,
        elapsed_us=case.elapsed_us,
        epoch=0,
        measured=measured,
    )
    assert flown.ruling.command.rung is Rung(assigned.value)
    assert ruling_digest(flown.ruling) == ruling_digest(ruling)
    assert flown.incumbent == {"kept": 1}


def test_pilot_adds_what_is_permitted_to_the_managed_inputs() -> None:
    case = read(CASES / "decisions" / "cooling_novelty_unknown.toml")
    pilot = Pilot(case.envelope, FixedIncumbent({}))
    managed = pilot.manage(case.observation, case.memory, elapsed_us=case.elapsed_us)
    plain = manage(case.observation, case.envelope.inputs, case.memory, case.elapsed_us)
    assert managed.observation.permitted.keys() == case.envelope.names
    assert dict(managed.observation.signals) == dict(plain.observation.signals)
    assert managed.memory == plain.memory
