"""PID pacing as the incumbent of an account, and the fitted candidate beside it."""

import math

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from controller.plants.bidding.incumbent import LOOPS, Pacing
from controller.plants.bidding.training.bundle import SIGNALS, Law, graph
from controller.policies.bundle import load_bundle
from controller.policies.trust import TrustStore
from controller.ports import Incumbent
from controller.settings import load_site
from controller.testing.policies import IncumbentContract
from safety.loading.spec import load_envelope
from safety.values import Observation, Quality, Setpoints, Signal
from simulators.bidding.controllers import PidPacing
from simulators.bidding.physics.params import Params
from simulators.bidding.physics.state import State, initial
from simulators.bidding.physics.step import step
from simulators.bidding.world.build import build
from simulators.bidding.world.observation import account
from simulators.bidding.world.scenario import resized, scenario
from simulators.bidding.world.signals import observe
from simulators.bidding.world.streams import Noise
from tests.paths import ROOT

SITE = ROOT / "deploy" / "sites" / "bidding-demo"
SMALL = resized(scenario("mixed"), 5_000.0)
NOISE = Noise("mixed", (4,), (0,))


def seen_at(state: State, params: Params) -> Observation:
    signals = {name: Signal(value) for name, value in observe(state, params).items()}
    return Observation("account", "", state.tick * 1_800_000_000, signals)


class TestPacing(IncumbentContract):
    def incumbent(self) -> Incumbent:
        return Pacing(2)

    def observation(self, taken_at: int) -> Observation:
        values = {
            "time_left_frac": 0.9 - taken_at / 1e14,
            "left_ratio": 1.2,
            "cost_ratio": 0.8,
        }
        signals = {f"{name}_c{i}": Signal(value * (1 - 0.1 * i)) for name, value in values.items() for i in range(2)}
        return Observation("account", "", taken_at, signals)

    def applied(self) -> Setpoints:
        return {"multiplier_c0": 0.4, "multiplier_c1": 1.7}


def test_behind_the_port_it_is_the_simulators_own_law() -> None:
    params = build(SMALL, NOISE, 2)
    state, law, port = initial(params), PidPacing(), Pacing(2)
    memory, remembered = law.start(account(state, params)), port.fresh
    for _ in range(params.ticks):
        memory, wanted = law.propose(memory, account(state, params))
        proposal, remembered = port.propose(seen_at(state, params), remembered)
        assert list(proposal.targets.values()) == wanted[0].tolist()
        remembered = port.track(remembered, proposal.targets)
        state, _ = step(state, wanted, params, NOISE)


def test_a_new_flight_forgets_the_last_one() -> None:
    port = Pacing(1)
    memory = {**{name: [0.7] for name in LOOPS}, "asked": [2.0]}
    fresh = {"time_left_frac_c0": 1.0, "left_ratio_c0": 1.0, "cost_ratio_c0": 1.0}
    proposal, after = port.propose(Observation("a", "", 0, {k: Signal(v) for k, v in fresh.items()}), memory)
    assert proposal.targets == {"multiplier_c0": 1.0}
    assert after == {**port.fresh, "asked": [1.0]}


def test_incumbent_continues_from_a_command_of_another_source() -> None:
    tested = TestPacing()
    port, seen = Pacing(2), tested.observation(0)
    _, memory = port.propose(seen, port.fresh)
    _, memory = port.propose(seen, port.track(memory, {"multiplier_c0": 0.3, "multiplier_c1": 0.3}))
    level = [math.exp(min(pace, cost)) for pace, cost in zip(memory["pace"], memory["cost"], strict=True)]
    assert all(0.3 <= value <= 0.3 * math.exp(0.3) for value in level)


def test_a_campaign_it_cannot_see_keeps_what_it_had() -> None:
    tested, port = TestPacing(), Pacing(2)
    seen = tested.observation(0)
    _, memory = port.propose(seen, port.fresh)
    dark = {**seen.signals, "cost_ratio_c1": Signal(math.nan, Quality.BAD)}
    proposal, after = port.propose(Observation("a", "", 0, dark), memory)
    assert proposal.targets["multiplier_c1"] == memory["asked"][1]
    assert [after[name][1] for name in LOOPS] == [memory[name][1] for name in LOOPS]
    assert after["pace"][0] != memory["pace"][0]


def test_the_graph_answers_as_the_law() -> None:
    params = build(SMALL, NOISE, 2)
    law = Law(np.array([0.3, -0.4]), np.array([0.5, 0.25]))
    served = ReferenceEvaluator(onnx.load_from_string(graph(law)))
    state, bid, idle = initial(params), 0, 0
    for tick in range(params.ticks):
        view, signals = account(state, params), observe(state, params)
        row = np.array([[signals[f"{name}_c{i}"] for name in SIGNALS for i in range(2)]], dtype=np.float32)
        (answer,) = served.run(None, {"features": row})
        wanted = law.propose(view)
        assert np.allclose(answer, wanted, rtol=2e-4), tick
        bid, idle = bid + int((wanted > 0).sum()), idle + int((wanted == 0).sum())
        state, _ = step(state, np.full(wanted.shape, 3.0 if tick < 30 else 0.0), params, NOISE)
    assert bid > 0
    assert idle > 0


def test_shipped_bundle_is_signed_and_beats_the_incumbent() -> None:
    site = load_site(SITE)
    bundle = load_bundle(SITE / site.settings.candidate.bundle, TrustStore.load(SITE / "trust"))
    envelope = load_envelope(SITE / "envelope.toml")
    assert bundle.manifest.envelope_digest == envelope.digest
    assert {output.setpoint for output in bundle.manifest.outputs} == envelope.names
    assert bundle.manifest.score["score_candidate"] > bundle.manifest.score["score_incumbent"]


@pytest.mark.parametrize("blind", ["left_ratio_c0", "cost_ratio_c1"])
def test_a_campaign_never_seen_is_not_bid_for(blind: str) -> None:
    tested, port = TestPacing(), Pacing(2)
    seen = tested.observation(0)
    dark = {name: signal for name, signal in seen.signals.items() if name != blind}
    proposal, _ = port.propose(Observation("a", "", 0, dark), port.fresh)
    assert set(proposal.targets) == {"multiplier_c0", "multiplier_c1"}
    assert proposal.targets[f"multiplier_{blind[-2:]}"] == 0.0
