"""A plant that keeps its own loop: each request is one decision, and a repeated request gets the same answer."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from controller.loop.push_mode import Answering
from controller.protocol.push import DecideRequest, PushSignal
from safety.values import Outcome
from simulators.cooling.simulation import Simulation, start_setpoints
from simulators.cooling.world.redundant_sensors import sensors_of, tripled
from simulators.cooling.world.scenario import scenario
from tests.loop.loop_fixture import ROOT, system

PUSH = ROOT / "deploy" / "sites" / "push-demo"
T0 = 1_700_000_100_000_000


def question(number: int) -> DecideRequest:
    """The request of a hall at rest at its `number`-th period."""
    plant = Simulation(scenario("greensboro-year"), seed=1)
    signals = {spec.name: PushSignal(float(v)) for spec, v in zip(plant.signals, plant.observe()[0], strict=True)}
    for name in tripled(4):
        signals |= dict.fromkeys(sensors_of(name), signals[name])
    own = dict(zip([spec.name for spec in plant.setpoints], map(float, start_setpoints(4, 1)[0]), strict=True))
    return DecideRequest(T0 + number * 300_000_000, signals, own, applied=own, readback=own)


def test_shadow_answer_returns_the_plants_command_reasons_and_validity(tmp_path: Path) -> None:
    with system(tmp_path, site=PUSH) as running:
        reply = Answering(running.loop, running.built.pushed).answer("hall", question(0))
        assert reply.status == "decided"
        assert reply.rung == "incumbent"
        assert reply.setpoints == question(0).incumbent
        assert reply.valid_for_us == running.loaded.envelope.valid_for_us


@pytest.mark.parametrize(("read_back", "own_chillers"), [(1.3, 2.0), (1.3, 1.0), (1.999, 2.0), (2.4, 2.0), (0.0, 1.0)])
def test_read_back_between_values_is_never_sent_in_shadow(
    tmp_path: Path, read_back: float, own_chillers: float
) -> None:
    usual = question(0)
    own, read = {**usual.incumbent, "chillers_on": own_chillers}, {**usual.incumbent, "chillers_on": read_back}
    with system(tmp_path, site=PUSH) as running:
        reply = Answering(running.loop, running.built.pushed).answer(
            "hall", replace(usual, incumbent=own, applied=None, readback=read)
        )
        (decision,) = running.spool.recent(1)
    assert (reply.status, reply.rung, reply.setpoints) == ("decided", "incumbent", own)
    waived = {f.rule for f in decision.chosen.findings if f.outcome is Outcome.WAIVED}
    assert waived == {"CHILLERS-DWELL"}


def test_repeated_request_is_answered_twice_and_decided_once(tmp_path: Path) -> None:
    with system(tmp_path, site=PUSH) as running:
        answering = Answering(running.loop, running.built.pushed)
        first = answering.answer("hall", question(0))
        again = answering.answer("hall", question(0))
        assert again == first
        assert running.spool.count() == 1


def test_a_question_older_than_the_last_is_refused(tmp_path: Path) -> None:
    with system(tmp_path, site=PUSH) as running:
        answering = Answering(running.loop, running.built.pushed)
        answering.answer("hall", question(1))
        assert answering.answer("hall", question(0)).status == "refused"


def test_a_plant_with_its_loop_here_is_not_answered(tmp_path: Path) -> None:
    with system(tmp_path) as running:
        assert Answering(running.loop, running.built.pushed).answer("hall", question(0)).status == "refused"
        assert Answering(running.loop, running.built.pushed).answer("other", question(0)).status == "refused"


def test_a_restart_remembers_the_last_answer(tmp_path: Path) -> None:
    with system(tmp_path, site=PUSH) as running:
        first = Answering(running.loop, running.built.pushed).answer("hall", question(0))
    with system(tmp_path, site=PUSH) as running:
        assert Answering(running.loop, running.built.pushed).answer("hall", question(0)) == first
