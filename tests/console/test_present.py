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


def notices(**changed: Any) -> list[str]:
    return [flag.text for flag in present.flags(status(**changed), WALL_US)]


def test_a_healthy_rollout_has_no_flags_at_all() -> None:
    assert notices() == []


def test_old_news_is_an_alarm_before_everything_else() -> None:
    (flag, *_) = present.flags(status(wall_us=WALL_US - 30_000_000), WALL_US)
    assert flag.level == "alarm"
    assert "control process" in flag.text
    assert "30 s" in flag.text


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"stop": {"active": True, "actor": "ann", "reason": "smoke"}}, ("STOP", "ann", "smoke")),
        ({"escapes": 2}, ("2 ", "envelope")),
        ({"policy": {"state": "down"}}, ("candidate", "incumbent")),
        (
            {"store": {"away": True, "lag": 412, "last_ok_wall_us": WALL_US - 600_000_000}},
            ("store", "10 min", "412"),
        ),
        (
            {"override": {"reject": True, "until_us": 1_767_229_200_000_000, "actor": "ann", "reason": "test"}},
            ("override", "ann", "candidate", "01 Jan 01:00 UTC", "test"),
        ),
        ({"signals": {"a": {"value": 30.0, "high": 27.0}}}, ("limits", ": a")),
        ({"signals": {"a": {"quality": "bad"}, "b": {"quality": "bad"}}}, ("2 ", "bad", "a, b")),
        ({"trips": [{"id": "1", "cause": "envelope", "first_out": "zone 3 hot"}]}, ("trip", "zone 3 hot")),
    ],
)
def test_every_abnormal_state_has_a_notice(changed: dict[str, Any], words: tuple[str, ...]) -> None:
    assert any(all(word in text for word in words) for text in notices(**changed)), notices(**changed)


def test_alarms_come_before_warnings() -> None:
    flags = list(present.flags(status(escapes=1, policy={"state": "down"}, store={"away": True}), WALL_US))
    assert [flag.level for flag in flags] == ["alarm", "warning", "warning"]
    assert [flag.shape for flag in flags] == ["▲", "◆", "◆"]


@pytest.mark.parametrize(
    ("rung", "level"),
    [("candidate", "note"), ("incumbent", ""), ("hold", "warning"), ("failsafe", "alarm"), ("?", "alarm")],
)
def test_headline_is_coloured_only_without_a_source_in_control(rung: str, level: str) -> None:
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
def test_signal_without_a_value_is_shown_as_unknown(signal: SignalStatus, state: str) -> None:
    assert present.limit_state(signal) == state


def test_bar_centres_its_band_and_stays_inside_the_scale() -> None:
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
def test_durations_are_shown_in_their_largest_unit(seconds: float, text: str) -> None:
    assert present.span(seconds) == text


def test_what_moved_is_what_an_operator_can_see_move() -> None:
    before = {"a": 20.04, "b": 8.0, "c": 0.75}
    assert present.moved(before, {"a": 20.01, "b": 9.0, "c": 0.75}) == "b 8 → 9"
    assert present.moved(before, before) == "as before"
    assert present.moved(before, {}) == "nothing: left to the local system"
    assert present.moved(None, {"a": 1.0}) == "a – → 1"
    many = {str(n): 1.0 for n in range(6)}
    assert present.moved(None, many).endswith(" and 2 more")
