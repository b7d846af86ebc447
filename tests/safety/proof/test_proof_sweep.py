"""Handover tried out on the kernel: from wherever a candidate left the plant, no first step is refused."""

import pytest

pytest.importorskip("z3")

from safety.loading.spec import build_envelope, load_envelope
from safety.proof.sweep import main, sweep
from tests.paths import ROOT
from tests.safety.support.golden import model_of

SHIPPED = [
    "deploy/sites/demo/envelope.toml",
    "deploy/sites/bidding-demo/envelope.toml",
    "examples/third_plant/site/envelope.toml",
]


@pytest.mark.parametrize("path", SHIPPED)
def test_incumbent_arrives_in_the_computed_time_without_a_refusal(path: str) -> None:
    swept = sweep(load_envelope(ROOT / path), 120, seed=5)
    assert swept.passes, "\n".join(swept.lines())
    assert swept.pairs > 60


def test_the_same_holds_of_setpoints_joined_by_a_relation() -> None:
    envelope = build_envelope(model_of({"remove": ["ONE-CHILLER-MILD"]}))
    assert any(len(group.setpoints) > 1 for group in envelope.ramp_plan.groups)
    swept = sweep(envelope, 250, seed=5)
    assert swept.passes, "\n".join(swept.lines())
    assert swept.waived > 10


def test_target_that_waits_for_a_chiller_is_refused_and_reported(capsys: pytest.CaptureFixture[str]) -> None:
    path = ROOT / "tests/cases/envelopes/small.toml"
    assert main([str(path), "--count", "150", "--seed", "1"]) == 1
    assert "refused by ONE-CHILLER-MILD" in capsys.readouterr().out
