"""The report and the pages that must keep up with the code."""

from dataclasses import fields, replace
from typing import get_args
from xml.etree import ElementTree

import numpy as np
import pytest

from simulators.bidding.env import REWARDS
from simulators.bidding.tools import reference_page
from simulators.bidding.tools.plot import bars
from simulators.bidding.tools.report import NAMES, interval, measure, page
from simulators.bidding.world.observation import FEATURES
from simulators.bidding.world.randomisation import Ranges
from simulators.bidding.world.scenario import SCENARIOS, EventKind, resized, scenario
from tests.paths import ROOT

DOCS = ROOT / "docs" / "reference"


def test_the_reference_page_is_as_the_code_has_it() -> None:
    assert (DOCS / "bidding.md").read_text(encoding="utf-8") == reference_page.page()


def test_every_feature_reward_event_and_range_has_its_sentence() -> None:
    assert tuple(reference_page.FEATURE_TEXT) == FEATURES
    assert set(reference_page.REWARD_TEXT) == set(REWARDS)
    assert tuple(reference_page.EVENT_TEXT) == get_args(EventKind)
    assert list(reference_page.RANGE_TEXT) == [f.name for f in fields(Ranges)]


def test_the_results_page_has_every_incumbent_on_every_scenario() -> None:
    text = (DOCS / "results" / "bidding-results.md").read_text(encoding="utf-8")
    for name in SCENARIOS:
        for incumbent in NAMES:
            assert f"| {name} | {incumbent} |" in text
    assert (DOCS / "results" / "bidding-results.svg").stat().st_size < 100_000


def test_an_interval_is_students_t_over_seeds() -> None:
    found = interval(np.asarray([1.0, 2.0, 3.0]))
    assert found.mean == pytest.approx(2.0)
    assert found.half == pytest.approx(4.3027 / np.sqrt(3), rel=1e-4)


def test_a_small_report_can_be_made() -> None:
    rows = measure(resized(scenario("mixed"), 2000.0), seeds=2, campaigns=2)
    assert [r.incumbent for r in rows] == list(NAMES)
    assert all(0 < r.figures["score_frac"].mean <= 1 for r in rows)
    assert "| mixed | dual gradient | 0." in page(rows, 2, 2)


def test_where_there_is_no_bound_the_page_shows_a_dash() -> None:
    rows = measure(replace(resized(scenario("adaptive"), 2000.0)), seeds=2, campaigns=1)
    assert "| adaptive | PID pacing | - |" in page(rows, 2, 1)


def test_plot_is_valid_xml() -> None:
    root = ElementTree.fromstring(bars({"a & b": [(0.5, 0.1), (0.9, 0.01)]}, ("x", "y"), "t < u"))
    assert root.tag.endswith("svg")
    assert len([e for e in root.iter() if e.tag.endswith("rect")]) == 5


def test_plot_has_all_groups_seven_per_row() -> None:
    drawn = bars({f"g{i}": [(0.5, 0.1)] for i in range(15)}, ("x",), "t")
    assert all(f">g{i}<" in drawn for i in range(15))
    assert f'viewBox="0 0 960 {30 + 3 * 250}"' in drawn
