"""The advice of `understudy envelope check`, on envelopes that need it and on those that do not."""

from dataclasses import replace
from pathlib import Path

import pytest

from safety.decide import decide
from safety.envelope import Envelope
from safety.loading.spec import load_envelope, parse_envelope
from safety.rules.base import US_PER_S
from safety.tools import actions
from safety.tools.lint import advice
from safety.values import Rung, Source
from tests.safety.support.golden import CASES, FOLDER, read

TANK = Path("examples/third_plant/site/envelope.toml").read_text()
WATCH = """
[[rule]]
id = "TANK-WATCHED"
kind = "{kind}"
tier = "T2"
{binds}
{keys}
unit = "s"
hazard = "nobody knows"
basis = "made up for a test"
"""
STALENESS = 'signals = ["tank_c"]\nmax_age_s = 600'
WATCHDOG = 'signal = "tank_c"\nmax_silence_s = 600'
STUCK = """
[[plausibility]]
id = "TANK-STUCK"
signal = "tank_c"
low = 0
high = 100
stuck_s = 600
unit = "C"
hazard = "nobody knows"
basis = "made up for a test"
"""


def tank(more: str = "") -> Envelope:
    return parse_envelope(TANK + more)


def watching(kind: str, keys: str, binds: str = "") -> str:
    return WATCH.format(kind=kind, keys=keys, binds=binds)


def test_a_limit_by_a_signal_that_nothing_watches_is_noted() -> None:
    assert list(advice(tank())) == [
        "note: limits that bind everybody look up `tank_c`, which nothing that binds them watches: an old value counts as "
        "good; add `staleness`, or see that the plant sends it as stale"
    ]


@pytest.mark.parametrize("more", [watching("staleness", STALENESS), watching("watchdog", WATCHDOG), STUCK])
def test_staleness_or_plausibility_is_enough_to_watch_a_signal(more: str) -> None:
    assert list(advice(tank(more))) == []


def test_policy_only_rule_watches_no_limits_of_other_sources() -> None:
    assert len(list(advice(tank(watching("staleness", STALENESS, 'applies_to = "policy"'))))) == 1


def test_a_long_list_is_cut_and_novelty_has_no_age() -> None:
    demo = load_envelope(FOLDER.sites / "demo" / "envelope.toml")
    everybodys, policys = advice(demo)
    assert "`room_dew_point_c`" in everybodys
    assert "`inlet_z1_c`" not in everybodys
    assert " and 3 more, which" in policys
    assert "candidate_novelty" not in policys


def test_notes_do_not_refuse() -> None:
    report = actions.check(FOLDER.sites / "demo" / "envelope.toml")
    assert report.passed
    assert [line.partition(":")[0] for line in report.lines[2:]] == ["note", "note"]


def test_age_alone_makes_no_signal_unknown() -> None:
    """Water measured five hours ago still counts for the incumbent; WEATHER-FRESH takes the policy's authority alone."""
    case = read(CASES / "decisions" / "cooling_accepted.toml")
    old = replace(case.observation.signals["chws_temp_c"], age_us=5 * 3600 * US_PER_S)
    seen = replace(case.observation, signals={**case.observation.signals, "chws_temp_c": old})
    ruling = decide(
        seen, case.proposals, Source.CANDIDATE, case.envelope, case.memory, elapsed_us=case.elapsed_us, epoch=1
    )
    assert ruling.command.rung is Rung.INCUMBENT
    assert {finding.rule for finding in ruling.state} == {"WEATHER-FRESH"}
    assert ruling.removed == (Source.CANDIDATE,)
