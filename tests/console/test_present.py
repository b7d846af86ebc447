"""What the page says: each sentence is a function of the status."""

from typing import Any

import msgspec
import pytest

from controller.console import present
from controller.protocol.status import PlantStatus, SignalStatus
from tests.loop.fakes import WALL_US, FakeSite


def status(**changed: Any) -> PlantStatus:
    site = FakeSite()
    site.tick(5)
    return msgspec.convert(msgspec.to_builtins(site.status()) | changed, PlantStatus)


def told(**changed: Any) -> list[str]:
    return [flag.text for flag in present.flags(status(**changed), WALL_US)]


def test_a_healthy_rollout_has_no_flags_at_all() -> None:
    assert told() == []


def test_old_news_is_an_alarm_before_everything_else() -> None:
    (flag, *_) = present.flags(status(wall_us=WALL_US - 30_000_000), WALL_US)
    assert (flag.level, flag.text) == ("alarm", "no word from the control process for 30 s: what follows is old")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"stop": {"active": True, "actor": "ann", "reason": "smoke"}}, "STOP by ann: smoke"),
        ({"escapes": 2}, "2 commands left the envelope"),
        ({"policy": {"state": "down"}}, "the candidate's process is down: the incumbent acts"),
        (
            {"store": {"away": True, "lag": 412, "last_ok_wall_us": WALL_US - 600_000_000}},
            "the store is not reachable for 10 min: control continues, 412 rows wait in the spool",
        ),
        (
            {"override": {"reject": True, "until_us": 1_767_229_200_000_000, "actor": "ann", "reason": "test"}},
            "override by ann: the candidate is refused until 01 Jan 01:00 UTC (test)",
        ),
        ({"signals": {"a": {"value": 30.0, "high": 27.0}}}, "outside limits: a"),
        ({"signals": {"a": {"quality": "bad"}, "b": {"quality": "bad"}}}, "2 signals are bad: a, b"),
        ({"trips": [{"id": "1", "cause": "envelope", "first_out": "zone 3 hot"}]}, "tripped: zone 3 hot"),
    ],
)
def test_everything_abnormal_is_told_in_words(changed: dict[str, Any], words: str) -> None:
    assert any(words in text for text in told(**changed)), told(**changed)


def test_alarms_come_before_warnings() -> None:
    flags = list(present.flags(status(escapes=1, policy={"state": "down"}, store={"away": True}), WALL_US))
    assert [flag.level for flag in flags] == ["alarm", "warning", "warning"]
    assert [flag.shape for flag in flags] == ["▲", "◆", "◆"]


@pytest.mark.parametrize(
    ("rung", "level"),
    [("candidate", "note"), ("incumbent", ""), ("hold", "warning"), ("failsafe", "alarm"), ("?", "alarm")],
)
def test_the_headline_is_coloured_only_when_no_source_is_in_control(rung: str, level: str) -> None:
    assert present.banner(status(in_control=rung), WALL_US).level == level


def test_the_banner_says_why_the_assigned_source_did_not_act() -> None:
    banner = present.banner(
        status(in_control="incumbent", assigned="candidate"), WALL_US, "candidate: `x` 5 degC is too low"
    )
    assert banner.flags[-1].text == "assigned to the candidate, but candidate: x 5 °C is too low"


@pytest.mark.parametrize(
    ("signal", "state"),
    [
        (SignalStatus(value=None, high=1.0), "unknown"),
        (SignalStatus(value=1.0, high=1.0), ""),
        (SignalStatus(value=1.1, high=1.0), "alarm"),
        (SignalStatus(value=-1.0, low=0.0), "alarm"),
        (SignalStatus(value=5.0), ""),
    ],
)
def test_a_signal_without_a_value_is_unknown_and_not_well(signal: SignalStatus, state: str) -> None:
    assert present.limit_state(signal) == state


def test_a_bar_shows_its_band_in_the_middle_and_never_runs_off() -> None:
    assert present.place(18, 18, 24) == pytest.approx(20)
    assert present.place(24, 18, 24) == pytest.approx(80)
    assert present.place(900, 18, 24) == 100
    assert present.place(None, 18, 24) is None
    assert present.place(1, 2, 2) is None


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.68, "0.68"), (21.54, "21.5"), (12345.6, "12,346"), (0.0, "0")]
)
def test_numbers_have_the_digits_an_operator_reads(value: float | None, text: str) -> None:
    assert present.amount(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0 s"), (59, "59 s"), (600, "10 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_spans_are_told_in_their_largest_unit(seconds: float, text: str) -> None:
    assert present.span(seconds) == text


def test_what_moved_is_what_an_operator_can_see_move() -> None:
    before = {"a": 20.04, "b": 8.0, "c": 0.75}
    assert present.moved(before, {"a": 20.01, "b": 9.0, "c": 0.75}) == "b 8 → 9"
    assert present.moved(before, before) == "as before"
    assert present.moved(before, {}) == "nothing: left to the local system"
    assert present.moved(None, {"a": 1.0}) == "a – → 1"
    many = {str(n): 1.0 for n in range(6)}
    assert present.moved(None, many).endswith(" and 2 more")
