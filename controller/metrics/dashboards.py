"""The Grafana dashboards, made here so that a renamed metric cannot leave a dead panel behind.

    python -m controller.metrics.dashboards deploy/grafana/dashboards

writes them; a test compares the files and runs every query against a real Prometheus.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATASOURCE = {"type": "prometheus", "uid": "understudy"}
PLANT = 'plant=~"$plant"'
RATE = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: its title, its queries with their legends, its unit, and whether it is a timeline, a figure or a bar."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    about: str = ""
    red_from: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


def _share(metric: str, by: str) -> str:
    rate = f"rate({metric}{{{PLANT}}}[{RATE}])"
    return f"sum by ({by}) ({rate}) / ignoring ({by}) group_left sum({rate})"


def _quantile(metric: str, of: float, by: str = "") -> str:
    group = f"le, {by}" if by else "le"
    return f"histogram_quantile({of}, sum by ({group}) (rate({metric}_bucket{{{PLANT}}}[{RATE}])))"


IN_CONTROL = Panel(
    "In control",
    ((f"understudy_in_control{{{PLANT}}} == 1", "{{rung}}"),),
    kind="stat",
    width=4,
    about="Whose command the plant obeys.",
)
MODE = Panel("Mode", ((f"understudy_mode{{{PLANT}}} == 1", "{{mode}}"),), kind="stat", width=4)
TRIPS = Panel("Trips", ((f"understudy_trips{{{PLANT}}}", "trips"),), kind="stat", width=4, red_from=1)
ESCAPES = Panel(
    "Escapes",
    ((f"understudy_escapes_total{{{PLANT}}}", "escapes"),),
    kind="stat",
    width=4,
    red_from=1,
    about="Commands that left the envelope. Must be 0.",
)
MARGIN = Panel(
    "Signals: distance to the nearer limit",
    ((f"understudy_signal_margin_ratio{{{PLANT}}}", "{{signal}}"),),
    "percentunit",
    about="1 is the middle of the band, 0 the limit, below 0 is outside.",
)
SETPOINTS = Panel(
    "Setpoints: place in the envelope band",
    ((f"understudy_setpoint_position_ratio{{{PLANT}}}", "{{setpoint}} {{who}}"),),
    "percentunit",
)
SHADOW = (
    Row(
        "Authority",
        (
            IN_CONTROL,
            MODE,
            TRIPS,
            ESCAPES,
            Panel("Candidate's process", ((f"understudy_policy_up{{{PLANT}}}", "up"),), kind="stat", width=4),
            Panel(
                "Store not reachable",
                ((f"understudy_store_unreachable{{{PLANT}}}", "not reachable"),),
                kind="stat",
                width=4,
                red_from=1,
            ),
        ),
    ),
    Row(
        "Safety",
        (
            Panel(
                "Refusals, by rule",
                (
                    (
                        f"sum by (rule, source) (rate(understudy_refusals_total{{{PLANT}}}[{RATE}])) > 0",
                        "{{source}} {{rule}}",
                    ),
                ),
                "ops",
            ),
            Panel(
                "Share of proposals refused",
                ((f"plant:understudy_refused_decisions:ratio_rate5m{{{PLANT}}}", "{{source}}"),),
                "percentunit",
                about="Candidate's and incumbent's, both judged on every tick.",
            ),
            Panel(
                "Proposals that were no answer",
                (
                    (
                        f'sum by (source, status) (rate(understudy_proposals_total{{{PLANT},status!="ok"}}[{RATE}]))',
                        "{{source}} {{status}}",
                    ),
                ),
                "ops",
            ),
        ),
    ),
    Row(
        "Disagreement",
        (
            Panel(
                "Kinds of disagreement",
                ((_share("understudy_comparisons_total", "comparison_class"), "{{comparison_class}}"),),
                "percentunit",
            ),
            Panel(
                "Distance between the two steps",
                (
                    (_quantile("understudy_step_difference_ratio", 0.5, "setpoint"), "{{setpoint}} p50"),
                    (_quantile("understudy_step_difference_ratio", 0.95, "setpoint"), "{{setpoint}} p95"),
                ),
                "percentunit",
            ),
            SETPOINTS,
        ),
    ),
    Row(
        "Outcome",
        (
            MARGIN,
            Panel(
                "Signals that have limits",
                ((f"understudy_signal_value{{{PLANT}}}", "{{signal}} [{{unit}}]"),),
                about="Each in its own unit.",
            ),
            Panel(
                "Cost per hour, by arm",
                ((f"3600 * rate(understudy_cost_total{{{PLANT}}}[{RATE}])", "{{arm}} [{{unit}} per hour]"),),
                about="Per wall hour: at a higher simulation speed this is that much more than per hour of the plant.",
            ),
        ),
    ),
    Row(
        "Serving",
        (
            Panel(
                "Time to propose",
                (
                    (_quantile("understudy_proposal_seconds", 0.5, "source"), "{{source}} p50"),
                    (_quantile("understudy_proposal_seconds", 0.99, "source"), "{{source}} p99"),
                ),
                "s",
            ),
            Panel(
                "Time to decide",
                (
                    (_quantile("understudy_decide_seconds", 0.5), "p50"),
                    (_quantile("understudy_decide_seconds", 0.99), "p99"),
                ),
                "s",
            ),
            Panel(
                "Lateness of ticks",
                (
                    (_quantile("understudy_tick_lateness_seconds", 0.5), "p50"),
                    (_quantile("understudy_tick_lateness_seconds", 0.99), "p99"),
                ),
                "s",
            ),
        ),
    ),
    Row(
        "Health of the data",
        (
            Panel("Signals that are bad or stale", ((f"understudy_signals_degraded{{{PLANT}}}", "{{quality}}"),)),
            Panel("Oldest signal", ((f"understudy_oldest_signal_seconds{{{PLANT}}}", "age"),), "s"),
            Panel("Entries the store does not have yet", ((f"understudy_spool_lag_entries{{{PLANT}}}", "entries"),)),
        ),
    ),
)
ROLLOUT = (
    Row(
        "Now",
        (
            IN_CONTROL,
            MODE,
            Panel("Stage", ((f"understudy_stage{{{PLANT}}} == 1", "{{stage}}"),), kind="stat", width=4),
            TRIPS,
            ESCAPES,
            Panel("STOP", ((f"understudy_stopped{{{PLANT}}}", "stopped"),), kind="stat", width=4, red_from=1),
        ),
    ),
    Row(
        "Share of control",
        (
            Panel(
                "Decisions, by who was in control",
                ((_share("understudy_decisions_total", "rung"), "{{rung}}"),),
                "percentunit",
            ),
            Panel(
                "Assigned to the candidate, and carried out",
                (
                    (f"plant:understudy_candidate_assigned:ratio_rate5m{{{PLANT}}}", "assigned"),
                    (f"plant:understudy_candidate_in_control:ratio_rate5m{{{PLANT}}}", "carried out"),
                ),
                "percentunit",
            ),
            Panel("Stage over time", ((f"understudy_stage{{{PLANT}}} == 1", "{{stage}}"),)),
        ),
    ),
    Row(
        "Next gate",
        (
            Panel("Checks, by outcome", ((f"understudy_gate_checks{{{PLANT}}}", "{{outcome}}"),)),
            Panel(
                "Plant time in this stage",
                (
                    (
                        f"understudy_plant_timestamp_seconds{{{PLANT}}} - understudy_stage_entered_timestamp_seconds{{{PLANT}}}",
                        "in stage",
                    ),
                ),
                "s",
            ),
            Panel("Version of the rollout", ((f"understudy_rollout_version{{{PLANT}}}", "version"),)),
        ),
    ),
    Row(
        "Outcome",
        (
            Panel("Time outside limits, by arm", ((f"understudy_breach_seconds_total{{{PLANT}}}", "{{arm}}"),), "s"),
            Panel(
                "Cost saved against the incumbent",
                (
                    (
                        f'1 - understudy_cost_total{{{PLANT},arm="applied"}} / ignoring (arm)'
                        f' understudy_cost_total{{{PLANT},arm="incumbent"}}',
                        "applied",
                    ),
                ),
                "percentunit",
                about="From simulated twins, where there are any. The gates use paired blocks, not this.",
            ),
            MARGIN,
        ),
    ),
    Row(
        "Operators",
        (
            Panel("Events", ((f"sum by (event) (increase(understudy_events_total{{{PLANT}}}[1h]))", "{{event}}"),)),
            Panel(
                "Changes asked for",
                (
                    (
                        "sum by (act, result) (increase(understudy_changes_total[1h])) > 0 or sum(understudy_changes_total)",
                        "{{act}} {{result}}",
                    ),
                ),
            ),
            Panel(
                "Push-mode answers",
                ((f"sum by (answer) (rate(understudy_push_answers_total[{RATE}]))", "{{answer}}"),),
                "ops",
            ),
        ),
    ),
    Row(
        "The web process",
        (
            Panel(
                "Requests",
                ((f"sum by (area, code) (rate(understudy_http_requests_total[{RATE}]))", "{{area}} {{code}}"),),
                "reqps",
            ),
            Panel(
                "Time to answer, p99",
                (
                    (
                        f"histogram_quantile(0.99, sum by (le, area) (rate(understudy_http_request_seconds_bucket[{RATE}])))",
                        "{{area}}",
                    ),
                ),
                "s",
            ),
            Panel(
                "Age of the status, streams, denials",
                (
                    (f"understudy_live_age_seconds{{{PLANT}}}", "age of status [s]"),
                    ("understudy_streams", "streams"),
                    (f"sum by (reason) (rate(understudy_denied_requests_total[{RATE}]))", "denied {{reason}} [1/s]"),
                ),
            ),
        ),
    ),
)
DASHBOARDS = {"shadow": ("Understudy: shadow", SHADOW), "rollout": ("Understudy: rollout", ROLLOUT)}


def render(name: str) -> dict[str, Any]:
    """A dashboard as Grafana reads it."""
    title, rows = DASHBOARDS[name]
    return {
        "uid": f"understudy-{name}",
        "title": title,
        "tags": ["understudy"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "timezone": "utc",
        "refresh": "10s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_variable()]},
        "annotations": {"list": []},
        "panels": _panels(rows),
    }


def expressions(dashboard: dict[str, Any]) -> list[tuple[str, str]]:
    """Every query of a dashboard with the title of its panel."""
    return [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", ())]


def _variable() -> dict[str, Any]:
    return {
        "name": "plant",
        "label": "Plant",
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": "label_values(understudy_live_timestamp_seconds, plant)", "refId": "plant"},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".+",
        "current": {"text": "All", "value": "$__all"},
    }


def _panels(rows: Sequence[Row]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    y = 0
    for row in rows:
        made.append(
            _placed({"type": "row", "title": row.title, "collapsed": False, "panels": []}, len(made) + 1, 0, y, 24, 1)
        )
        y, x, height = y + 1, 0, 4 if row.panels[0].kind == "stat" else 8
        for panel in row.panels:
            made.append(_placed(_panel(panel), len(made) + 1, x, y, panel.width, height))
            x += panel.width
        y += height
    return made


def _placed(panel: dict[str, Any], number: int, x: int, y: int, width: int, height: int) -> dict[str, Any]:
    return panel | {"id": number, "gridPos": {"x": x, "y": y, "w": width, "h": height}}


def _panel(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "text", "value": None}]
    if panel.red_from is not None:
        steps.append({"color": "red", "value": panel.red_from})
    targets = [
        {
            "refId": chr(65 + n),
            "datasource": DATASOURCE,
            "expr": expr,
            "legendFormat": legend,
            "instant": panel.kind == "stat",
            "range": panel.kind != "stat",
        }
        for n, (expr, legend) in enumerate(panel.queries)
    ]
    named = panel.kind == "stat" and "{{" in panel.queries[0][1]
    options = (
        {
            "textMode": "name" if named else "value",
            "colorMode": "value",
            "graphMode": "none",
            "reduceOptions": {"calcs": ["lastNotNull"]},
        }
        if panel.kind == "stat"
        else {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    )
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": DATASOURCE,
        "targets": targets,
        "options": options,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
    }


def main(folder: Path) -> None:
    """Write every dashboard."""
    for name in DASHBOARDS:
        (folder / f"{name}.json").write_text(json.dumps(render(name), indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
