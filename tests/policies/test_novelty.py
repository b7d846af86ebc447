"""The signal `candidate_novelty` is measured where possible and otherwise unknown, which refuses the candidate alone."""

import subprocess
import sys
from dataclasses import replace
from math import inf, nan

import pytest
from pydantic import ValidationError

from controller.policies.manifest import Manifest, NoveltyStatistics
from controller.policies.novelty import SIGNAL, NoveltyMeter
from safety.values import Observation, Proposal, Quality, Signal, Source, Status
from tests.policies.graphs import manifest, observation

PLAIN = manifest(b"")
WIDTH = len(PLAIN.inputs) + len(PLAIN.outputs)
STATISTICS = NoveltyStatistics(
    mean=(0.0,) * WIDTH,
    whitening=tuple((0.1,) * row + (1.0,) for row in range(WIDTH)),
    threshold=2.0,
    alpha=0.01,
    shrinkage=0.05,
    fitted=1000,
    calibrated=1000,
)
FROZEN: Manifest = PLAIN.model_copy(update={"novelty": STATISTICS})
ASKED = Proposal(Source.CANDIDATE, {spec.setpoint: spec.centre for spec in PLAIN.outputs})


def seen(signal: Signal | None = None) -> Observation:
    given = {"hall_c": signal or Signal(25.0)}
    return replace(observation(0), signals=given, applied={"supply_c": 20.0})


def test_a_usual_tick_is_measured() -> None:
    measured = NoveltyMeter(FROZEN)(seen(), ASKED)
    assert measured.keys() == {SIGNAL}
    assert measured[SIGNAL].good
    assert 0.0 <= measured[SIGNAL].value <= 1.0


def test_proposal_counts_as_much_as_the_observation() -> None:
    meter = NoveltyMeter(FROZEN)
    wild = replace(ASKED, targets={name: value + 50.0 for name, value in ASKED.targets.items()})
    usual = meter(seen(), ASKED)[SIGNAL].value
    assert meter(seen(), wild)[SIGNAL].value > usual + 1.0
    assert meter(seen(Signal(60.0)), ASKED)[SIGNAL].value > usual + 1.0


@pytest.mark.parametrize("signal", [Signal(25.0, Quality.BAD), Signal(25.0, Quality.STALE), Signal(nan), Signal(inf)])
def test_novelty_of_an_unknown_input_is_unknown(signal: Signal) -> None:
    assert NoveltyMeter(FROZEN)(seen(signal), ASKED) == {}


def test_novelty_of_a_missing_input_is_unknown() -> None:
    assert NoveltyMeter(FROZEN)(replace(seen(), signals={}), ASKED) == {}


@pytest.mark.parametrize("target", [nan, inf, 1e308])
def test_novelty_of_a_proposal_without_distance_is_unknown(target: float) -> None:
    proposal = replace(ASKED, targets=dict.fromkeys(ASKED.targets, target))
    assert NoveltyMeter(FROZEN)(seen(), proposal) == {}


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_novelty_of_a_failed_proposal_is_unknown(status: Status) -> None:
    assert NoveltyMeter(FROZEN)(seen(), Proposal(Source.CANDIDATE, {}, status)) == {}


def test_a_bundle_without_statistics_tells_nothing() -> None:
    assert NoveltyMeter(PLAIN)(seen(), ASKED) == {}


def test_the_measure_has_the_same_bits_in_another_process() -> None:
    code = (
        "from tests.policies.test_novelty import *; "
        "print(NoveltyMeter(FROZEN)(seen(Signal(27.123)), ASKED)[SIGNAL].value.hex())"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert printed == NoveltyMeter(FROZEN)(seen(Signal(27.123)), ASKED)[SIGNAL].value.hex()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"whitening": STATISTICS.whitening[1:]}, "one row for each mean"),
        ({"threshold": 0.0}, "greater than 0"),
        ({"alpha": 1.0}, "less than 1"),
        ({"threshold": inf}, "finite"),
    ],
)
def test_statistics_that_cannot_be_are_refused(changes: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        NoveltyStatistics.model_validate(STATISTICS.model_dump() | changes)


def test_statistics_of_another_width_are_refused() -> None:
    other = STATISTICS.model_copy(update={"mean": (0.0,), "whitening": ((1.0,),)})
    with pytest.raises(ValidationError, match="`novelty`"):
        Manifest.model_validate(PLAIN.model_dump() | {"novelty": other.model_dump()})
