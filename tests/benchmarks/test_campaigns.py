"""The page of the long runs, from finished reports."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.campaign_page import in_short, stopped_at
from benchmarks.campaigns import CAMPAIGNS, Campaign, failures, main

FRESH = "age of the evidence (0 s) <= two periods (600 s)"
DRIVEN = Campaign("stuck", 2, "stuck", stopped_by=("25 %",))


def report(*stages: tuple[str, str], status: str = "running", **changes: Any) -> dict[str, Any]:
    """A finished two-day report that entered these stages, a third of a day each."""
    third = 28_800.0
    return {
        "ticks": 576,
        "decisions": 576,
        "guard_decisions": 0,
        "vetoes": {},
        "escapes": 0,
        "breach_s": {"applied": 0.0, "incumbent": 0.0},
        "stages": [
            {"name": name, "entered_at_s": n * third, "left_at_s": (n + 1) * third, "why": why}
            for n, (name, why) in enumerate(stages)
        ],
        "status": status,
        "cost": {"lanes": {"applied": 90.0, "incumbent": 100.0, "candidate": 80.0, "best_static": 110.0}},
        "simulated_s": 172_800.0,
        "ticks_per_s": 301.5,
    } | changes


def test_run_stopped_at_the_expected_stage_keeps_its_promise() -> None:
    tripped = report(("25 %", "tripped by `inferior`: worse"), ("shadow", "tripped: inferior"), status="tripped")
    assert stopped_at(tripped) == "25 %"
    assert failures(DRIVEN, tripped) == []


def test_a_bad_bundle_that_nothing_stopped_is_a_failure() -> None:
    assert failures(DRIVEN, report(("25 %", "running"))) == ["stopped at no stage"]


def test_a_bad_bundle_stopped_at_another_stage_is_a_failure() -> None:
    assert failures(DRIVEN, report(("1 %", "aborted: worse"), status="aborted")) == ["stopped at 1 %"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"escapes": 1}, "1 commands outside the envelope"),
        ({"decisions": 575}, "575 decisions stored of 576"),
        ({"breach_s": {"applied": 30.0, "incumbent": 0.0}}, "breach of 30.0 s"),
        ({"ticks": 575, "decisions": 575}, "575 ticks in 172800 s"),
    ],
)
def test_what_every_run_promises_is_checked(change: dict[str, Any], message: str) -> None:
    good = Campaign("year", 2, reaches="25 %")
    (failure,) = failures(good, report(("25 %", "running"), **change))
    assert failure.startswith(message)


def test_good_candidate_must_reach_the_expected_stage() -> None:
    good = Campaign("year", 2, reaches="25 %")
    assert failures(good, report(("shadow", "running"))) == ["came no further than shadow"]


def test_reason_omits_the_text_common_to_all_gates() -> None:
    assert in_short(f"{FRESH}; observed days (7) >= required (7)") == "observed days (7) >= required (7)"


def test_finished_reports_make_a_page_that_lists_missing_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "reckless.json").write_text(json.dumps(report(("shadow", "aborted: refused"), status="aborted")))
    page = tmp_path / "campaigns.md"
    assert main(["--from", str(tmp_path), "--page", str(page)]) == 1
    text = page.read_text()
    assert (
        "| `reckless` | 2 | stopped at shadow | stopped at shadow | 0 | 0 / 0 | none | 10.0 % | 20.0 % / 27.3 % | 301.5 |"
        in text
    )
    assert "| `reckless` | shadow | 0.0 | 0.3 | aborted: refused |" in text
    assert text.count("not run") == len(CAMPAIGNS) - 1
    assert "reckless: as expected" in capsys.readouterr().out
