"""The candidate of the bidding demo: a small law fitted on days that no run of the account has, as a signed bundle.

    python -m controller.plants.bidding.training.bundle --key KEY OUT

Per campaign, a multiplier that is right on an average day, corrected by how far spending is from its plan:

    m = exp(base + gain * e - CARE * o),  e = ln(budget left / traffic left) in -1..1,  o = max(0, ln cost_ratio)

and nothing where there is no money for one more win, or far more is spent than planned. Base and gain are those of a
grid that score best on the training days; the score card compares law and incumbent on days neither has seen. Needs the
[train] extra (`onnx`).
"""

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from controller.learning.conformal import described
from controller.plants.bidding.settings import BiddingSettings
from controller.plants.bidding.training.novelty_data import (
    CALIBRATION_DAYS,
    FIT_DAYS,
    UNSEEN_DAYS,
    false_refusals,
    fitted,
    service_rows,
)
from controller.policies.bundle import write_bundle
from controller.policies.manifest import InputSpec, Manifest, OutputSpec, Training
from controller.policies.trust import read_or_make_key
from controller.settings import Site, load_site
from safety.loading.spec import load_envelope
from simulators.bidding.controllers.base import Memory, cost_per_predicted, planned_frac
from simulators.bidding.controllers.pid import PidPacing
from simulators.bidding.physics.state import initial
from simulators.bidding.physics.step import step
from simulators.bidding.tools.evaluate import soft_score
from simulators.bidding.world.build import another_flight
from simulators.bidding.world.curves import TICK_S
from simulators.bidding.world.observation import Account, account
from simulators.bidding.world.scenario import resized, scenario
from simulators.bidding.world.signals import multiplier_cap, planned_micros, setpoint_specs
from simulators.bidding.world.streams import Noise

Floats = NDArray[np.float64]
Propose = Callable[[Account], Floats]
TRAIN_DAYS, VALIDATION_DAYS = 8, 20
BASES = np.log(np.geomspace(0.25, 2.9, 16))
GAINS = np.array([0.25, 0.5, 1.0, 2.0])  # never 0: a day is not an average day
CARE = 2.0
LEAST, MOST = 0.02, 2.95  # inside the envelope's bound, so that no answer breaks it
LEFT_MIN = 0.02
BELOW_CAP = 0.99
HURRY = 2.4  # times the plan at which it pauses: inside the envelope's 2.5
SIGNALS = (
    *("cost_micros", "budget_micros", "planned_frac", "cost_ratio"),
    *("available_micros", "plan_micros", "spent_micros", "reserved_micros", "bid_cap_micros"),
    "multiplier_cap",
)
SITE = Path("deploy/sites/bidding-demo")


@dataclass(frozen=True, slots=True)
class Law:
    """`base` [ln] and `gain` [-], per campaign [C] or per lane and campaign [L, C]."""

    base: Floats
    gain: Floats

    def propose(self, view: Account) -> Floats:
        """Multipliers [L, C]; the graph computes the same."""
        left = np.maximum(1 - view.cost_micros / view.budget_micros, LEFT_MIN)
        behind = np.clip(np.log(left / np.maximum(1 - planned_frac(view), LEFT_MIN)), -1.0, 1.0)
        over = np.maximum(np.log(np.maximum(cost_per_predicted(view), 1e-3)), 0.0)
        wanted = np.clip(np.exp(self.base + self.gain * behind - CARE * over), LEAST, MOST)
        wanted = np.minimum(wanted, BELOW_CAP * multiplier_cap(view))
        return np.where(affords(view), wanted, 0.0)


def affords(view: Account) -> NDArray[np.bool_]:
    """Whether there is money for one more win, today and by the plan [L, C]."""
    early = HURRY * planned_micros(view) - view.spent_micros - view.reserved_micros - view.bid_cap_micros
    return np.asarray((view.available_micros >= view.bid_cap_micros) & (early >= 0))


def fit(settings: BiddingSettings, days: int = TRAIN_DAYS) -> Law:
    """The best of the grid for each campaign; campaigns share nothing, so all are searched at once."""
    bases, gains = (grid.ravel()[:, None] for grid in np.meshgrid(BASES, GAINS))
    law = Law(np.repeat(bases, settings.campaigns, axis=1), np.repeat(gains, settings.campaigns, axis=1))
    scores = sum(day_score(settings, f"train/{day}", len(bases), lambda: law.propose) for day in range(days))
    best = np.argmax(scores, axis=0)
    return Law(bases[best, 0], gains[best, 0])


def day_score(settings: BiddingSettings, name: str, lanes: int, policy: Callable[[], Propose]) -> Floats:
    """The soft score of every lane and campaign [conversions] after the flight called `name`."""
    world = resized(scenario(settings.scenario), settings.impressions_per_day)
    noise = Noise(settings.scenario, (settings.account,) * lanes, (0,) * lanes)
    params, flight = another_flight(world, noise, settings.campaigns, name)
    state, propose = initial(params), policy()
    for _ in range(params.ticks):
        state, _ = step(state, propose(account(state, params)), params, flight)
    cost, target = state.incurred_micros.astype(np.float64), params.target_cpa_micros.astype(np.float64)
    return soft_score(state.expected_pico * 1e-12, cost, target)


def incumbent() -> Propose:
    """PID pacing with a memory of its own."""
    law = PidPacing()
    memory: Memory = {}

    def propose(view: Account) -> Floats:
        nonlocal memory
        memory, multiplier = law.propose(memory or law.start(view), view)
        return np.where(affords(view), np.minimum(multiplier, MOST), 0.0)

    return propose


def scorecard(settings: BiddingSettings, law: Law, days: int = VALIDATION_DAYS) -> dict[str, float]:
    """Mean score per campaign and day of law and incumbent [conversions], on the same unseen days."""
    rows = {"candidate": lambda: law.propose, "incumbent": incumbent}
    return {
        f"score_{name}": float(np.mean([day_score(settings, f"validation/{day}", 1, who) for day in range(days)]))
        for name, who in rows.items()
    }


def graph(law: Law) -> bytes:
    """The law as an ONNX graph: [batch, len(SIGNALS) * C], signal by signal, to multipliers [batch, C]."""
    count = len(law.base)
    constants = {
        "one": 1.0,
        "least_left": LEFT_MIN,
        "least_ratio": 1e-3,
        "zero": 0.0,
        "minus_one": -1.0,
        "steep": 1e6,
        "hurry": HURRY,
        "care": CARE,
        "below_cap": BELOW_CAP,
        "low": LEAST,
        "high": MOST,
    }
    weights = [numpy_helper.from_array(np.float32(value), name) for name, value in constants.items()]
    weights += [numpy_helper.from_array(getattr(law, name).astype(np.float32), name) for name in ("base", "gain")]
    weights.append(numpy_helper.from_array(np.full(len(SIGNALS), count, dtype=np.int64), "widths"))
    nodes = [
        helper.make_node(kind, inputs.split(), outputs.split(), **attributes)
        for kind, inputs, outputs, attributes in (
            (
                "Split",
                "features widths",
                "cost budget planned ratio available plan used held_back cap most",
                {"axis": 1},
            ),
            ("Div", "cost budget", "spent", {}),
            ("Sub", "one spent", "unspent", {}),
            ("Max", "unspent least_left", "left", {}),
            ("Sub", "one planned", "unplanned", {}),
            ("Max", "unplanned least_left", "to_come", {}),
            ("Div", "left to_come", "ahead", {}),
            ("Log", "ahead", "log_ahead", {}),
            ("Clip", "log_ahead minus_one one", "behind", {}),
            ("Max", "ratio least_ratio", "ratio_above", {}),
            ("Log", "ratio_above", "log_ratio", {}),
            ("Max", "log_ratio zero", "over", {}),
            ("Mul", "behind gain", "pushed", {}),
            ("Mul", "over care", "held", {}),
            ("Add", "base pushed", "paced", {}),
            ("Sub", "paced held", "log_wanted", {}),
            ("Exp", "log_wanted", "unbounded", {}),
            ("Clip", "unbounded low high", "bounded", {}),
            ("Mul", "most below_cap", "below_most", {}),
            ("Min", "bounded below_most", "wanted", {}),
            ("Sub", "available cap", "room_today", {}),
            ("Mul", "plan hurry", "most_by_now", {}),
            ("Sub", "most_by_now used", "after_bills", {}),
            ("Sub", "after_bills held_back", "after_reserves", {}),
            ("Sub", "after_reserves cap", "room_by_now", {}),
            ("Min", "room_today room_by_now", "room", {}),
            ("Mul", "room steep", "far", {}),
            ("Add", "far one", "further", {}),
            ("Clip", "further zero one", "affords", {}),
            ("Mul", "wanted affords", "multiplier", {}),
        )
    ]
    shapes = (("features", len(SIGNALS) * count), ("multiplier", count))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width]) for name, width in shapes]
    model = helper.make_model(
        helper.make_graph(nodes, "pacing", ends[:1], ends[1:], weights),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def manifest(site: Site, policy: bytes, score: dict[str, float]) -> Manifest:
    """The manifest of the bundle."""
    settings = site.plant_settings("bidding", BiddingSettings)
    inputs = tuple(InputSpec(kind="signal", name=f"{name}_c{i}") for name in SIGNALS for i in range(settings.campaigns))
    outputs = tuple(OutputSpec(setpoint=s.name, centre=0.0, scale=1.0) for s in setpoint_specs(settings.campaigns))
    return Manifest(
        schema_version=1,
        name="pacing-by-plan",
        plant_kind="bidding",
        inputs=inputs,
        outputs=outputs,
        control_period_s=float(TICK_S),
        weights_sha256=hashlib.sha256(policy).hexdigest(),
        envelope_digest=load_envelope(site.folder / site.settings.files.envelope).digest,
        training=Training(
            command="python -m controller.plants.bidding.training.bundle",
            seed=settings.account,
            algorithm="grid search",
        ),
        score=score,
    )


def main(argv: list[str] | None = None) -> None:
    """Fit, compare, export, sign."""
    parser = argparse.ArgumentParser(prog="controller.plants.bidding.training.bundle")
    parser.add_argument("out", type=Path, help="folder of the new bundle")
    parser.add_argument(
        "--key", type=Path, required=True, help="private key; made, with its `.pub`, if it is not there"
    )
    parser.add_argument("--site", type=Path, default=SITE)
    options = parser.parse_args(argv)
    site = load_site(options.site)
    settings = site.plant_settings("bidding", BiddingSettings)
    law = fit(settings)
    score = scorecard(settings, law)
    policy = graph(law)
    envelope, plain = load_envelope(site.folder / site.settings.files.envelope), manifest(site, policy, score)
    served = service_rows(site, envelope, plain, policy, FIT_DAYS + CALIBRATION_DAYS + UNSEEN_DAYS)
    statistics = fitted(served)
    novelty = described(statistics, false_refusals(statistics, served))
    card = {
        **score,
        "base": law.base.tolist(),
        "gain": law.gain.tolist(),
        "validation_days": VALIDATION_DAYS,
        "novelty": novelty,
    }
    whole = plain.model_copy(update={"novelty": statistics})
    write_bundle(options.out, whole, policy, card, read_or_make_key(options.key))


if __name__ == "__main__":
    main()
