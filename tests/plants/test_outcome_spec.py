"""What a plant declares of its outcome, and that every page shows it as declared."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from math import isnan, nan
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from rich.console import Console

from controller import bootstrap
from controller.cli.view import TerminalView
from controller.console.pages import PageView as Page
from controller.console.pages import fragments
from controller.console.present import banner
from controller.console.trends import heading
from controller.metrics.control import ControlMetrics
from controller.plants.push.plant import Pushed
from controller.plants.push.settings import PushSettings
from controller.ports import OutcomeSpec, Quantity
from controller.protocol.status import PlantStatus, SignalStatus, decode
from safety.values import Observation, Proposal, Signal, Source
from tests.loop.loop_fixture import run_ticks
from tests.paths import ROOT
from tests.plants.test_contracts import TestPushed as Pushing

SITES = ROOT / "deploy" / "sites"
OTHER_UNITS = re.compile(r"kWh|joule|temperature|celsius|energy|degree", re.IGNORECASE)


def test_names_of_an_outcome_differ() -> None:
    money = Quantity("money", "EUR", "Money")
    with pytest.raises(ValueError, match="`money`"):
        OutcomeSpec(cost=money, covariates=(money,))
    with pytest.raises(ValueError, match="`breach_s`"):
        OutcomeSpec(cost=money, guards=(Quantity("breach_s", "s", "Breaches"),))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The output of the bidding demo after two ticks: status, report, metrics, console, terminal."""
    state = tmp_path_factory.mktemp("bidding")
    with bootstrap.build_control(bootstrap.Options(site=SITES / "bidding-demo", state=state)) as running:
        run_ticks(running, 2)
        text = running.spool.live()
        assert text is not None
        registry, stages = CollectorRegistry(), [stage.name for stage in running.loaded.spec.stages]
        ControlMetrics(registry, running.loaded.envelope, stages, lambda: text)
        live = decode(text)
        page = Page(live, banner(live, live.wall_us), [])
        yield {
            "status": text,
            "report": json.dumps(running.report()),
            "metrics": generate_latest(registry).decode(),
            "console": "".join(fragments(page).values()) + heading(live),
            "terminal": terminal(text),
        }


def terminal(text: str) -> str:
    """The terminal view of a status, as text."""
    view = TerminalView(0, None, live=False)
    view.console = Console(record=True, width=200, file=StringIO())
    view.console.print(view._screen(decode(text)))
    view.show(decode(text))
    return view.console.export_text()


def test_the_bidding_demo_names_no_other_plants_unit(published: dict[str, str]) -> None:
    for where, text in published.items():
        assert OTHER_UNITS.search(text) is None, where
    for file in (*(SITES / "bidding-demo").glob("*.toml"), *(ROOT / "deploy" / "grafana").rglob("*.json")):
        assert OTHER_UNITS.search(file.read_text()) is None, file.name


def test_every_page_has_the_declared_cost(published: dict[str, str]) -> None:
    assert all("currency" in text for text in published.values())
    assert 'understudy_cost_total{arm="applied",plant="account",unit="currency"}' in published["metrics"]
    assert all(label in published["console"] for label in ("Worth on offer that was missed", "Cost beyond target"))
    live = decode(published["status"])
    assert (live.cost.name, [guard.name for guard in live.guards]) == ("missed_worth", ["excess_cost"])
    assert set(live.cost.lanes) == {"applied", "incumbent", "candidate"}


def test_a_status_of_an_earlier_version_shows_no_cost() -> None:
    view = TerminalView(0, None, live=False)
    live = decode('{"plant": "hall", "at_us": 5, "energy_kwh": {}}')
    view.show(live)
    assert (live.cost.lanes, live.guards) == ({}, [])


@pytest.mark.parametrize(("unit", "limits", "shown"), [("C", True, "in °C and their limits"), ("1", False, "Signals")])
def test_the_trend_is_headed_by_its_unit(unit: str, limits: bool, shown: str) -> None:
    low, high = (15.0, 27.0) if limits else (None, None)
    signal = SignalStatus(unit=unit, value=20.0, low=low, high=high)
    assert heading(PlantStatus(plant="p", at_us=1, signals={"a": signal})).endswith(shown)


def test_a_pushed_guard_is_minutes_times_how_far_above(tmp_path: Path) -> None:
    contract = Pushing()
    plant = contract.plant(tmp_path)
    assert isinstance(plant, Pushed)
    plant.outcome()
    contract.pass_time(plant, contract.period_us)
    outcome = plant.outcome()
    # 300 kW for five minutes; 12 C against 10 C.
    assert (outcome.cost, outcome.guards) == (pytest.approx(25.0), {"warm": pytest.approx(10.0)})
    assert plant.lanes() == {"cost": {"applied": 25.0}, "warm": {"applied": 10.0}, "breach_s": {"applied": 0.0}}
    _blind(plant, contract.period_us)
    assert isnan(plant.outcome().guards["warm"])
    assert plant.lanes()["warm"] == {"applied": 10.0}


def _blind(plant: Pushed, us: int) -> None:
    """The next question, with a guard's signal lost."""
    seen = plant.observe()
    signals = {**seen.signals, "outdoor_c": Signal(nan)}
    lost: Observation = replace(seen, taken_at=seen.taken_at + us, signals=signals)
    plant.ask(lost, Proposal(Source.INCUMBENT, {"supply_air_c": 20.0}))


def test_the_former_key_of_push_names_the_new_one() -> None:
    with pytest.raises(ValueError, match=r"cost\.per_hour_signal"):
        PushSettings.model_validate({"power_signal": "power_kw"})
