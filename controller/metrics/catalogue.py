"""Every metric, once: name, kind, unit, help, labels. Factories, dashboards, rules, tests and the reference page read this.

Base units, or the plant's own under the label `unit`; `_total` on counters. A label's values are known when the process
starts (LABELS, or the site's own names). So every series exists at zero and their number is bounded. No value that an operator
or a decision supplies becomes a label.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

from controller.records.operator_queue import Kind
from safety.values import Quality, Rung, Source, Status
from shadow.comparison import ComparisonClass

Kinds = Literal["counter", "gauge", "histogram"]
COUNTER: Kinds = "counter"
GAUGE: Kinds = "gauge"
HISTOGRAM: Kinds = "histogram"
FAST_S = (1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 1.0)
WEB_S = (5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5)
RATIO = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)

LABELS: Mapping[str, tuple[str, ...]] = {
    "rung": tuple(rung.value for rung in Rung),
    "source": tuple(source.value for source in Source),
    "status": tuple(status.value for status in Status),
    "quality": (Quality.BAD.value, Quality.STALE.value),
    "comparison_class": tuple(each.value for each in ComparisonClass),
    "mode": ("shadow", "rollout", "override", "stopped", "tripped", "paused", "aborted", "completed"),
    "outcome": ("pending", "passed", "failed", "inconclusive", "errored"),
    "arm": ("applied", "incumbent", "candidate", "best_static"),
    "who": ("applied", "incumbent", "candidate"),
    "event": ("stage", "trip", "reset", "intent", "override", "stop", "alarm", "process", "note"),
    "act": get_args(Kind),
    "result": ("applied", "refused", "stale", "pending"),
    "area": ("api", "push", "console", "static", "health", "metrics"),
    "method": ("GET", "POST", "OTHER"),
    "code": ("2xx", "3xx", "4xx", "5xx"),
    "reason": ("unauthenticated", "forbidden"),
    "answer": ("decided", "late", "unavailable", "refused"),
    "sign_in": ("accepted", "refused"),
}
SITE_LABELS = ("plant", "rule", "setpoint", "signal", "stage", "guard", "unit")


@dataclass(frozen=True, slots=True)
class Metric:
    """One declaration. `read` metrics are taken from the live status at scrape time and cost the loop nothing."""

    name: str
    kind: Kinds
    unit: str
    help: str
    labels: tuple[str, ...] = ("plant",)
    buckets: tuple[float, ...] = ()
    read: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """A site's own label values."""

    plant: tuple[str, ...]
    rule: tuple[str, ...] = ()
    setpoint: tuple[str, ...] = ()
    signal: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    guard: tuple[str, ...] = ()
    unit: tuple[str, ...] = ()

    def series(self, metric: Metric) -> list[tuple[str, ...]]:
        """Every combination of label values the metric can have on this site."""
        return list(product(*(getattr(self, name) if name in SITE_LABELS else LABELS[name] for name in metric.labels)))


CONTROL = (
    Metric(
        "understudy_decisions_total",
        COUNTER,
        "1",
        "Decisions, by the rung whose command was applied.",
        ("plant", "rung"),
    ),
    Metric(
        "understudy_assignments_total",
        COUNTER,
        "1",
        "Decisions, by the source they were assigned to.",
        ("plant", "source"),
    ),
    Metric(
        "understudy_proposals_total",
        COUNTER,
        "1",
        "Proposals requested, by status.",
        ("plant", "source", "status"),
    ),
    Metric(
        "understudy_refusals_total",
        COUNTER,
        "1",
        "Proposals refused, by each rule that refused them; a proposal refused by two rules counts under both.",
        ("plant", "source", "rule"),
    ),
    Metric(
        "understudy_comparisons_total",
        COUNTER,
        "1",
        "Candidate against incumbent after the envelope, by kind of disagreement.",
        ("plant", "comparison_class"),
    ),
    Metric(
        "understudy_events_total",
        COUNTER,
        "1",
        "Events other than decisions: stages, trips, resets, operators' acts.",
        ("plant", "event"),
    ),
    Metric(
        "understudy_step_difference_ratio",
        HISTOGRAM,
        "ratio",
        "Distance between candidate's and incumbent's step, as a share of the setpoint's range.",
        ("plant", "setpoint"),
        RATIO,
    ),
    Metric(
        "understudy_proposal_seconds",
        HISTOGRAM,
        "seconds",
        "Time a source took to propose.",
        ("plant", "source"),
        FAST_S,
    ),
    Metric(
        "understudy_decide_seconds",
        HISTOGRAM,
        "seconds",
        "Time the envelope took to judge and to choose.",
        ("plant",),
        FAST_S,
    ),
    Metric(
        "understudy_tick_lateness_seconds",
        HISTOGRAM,
        "seconds",
        "How long after its due time a tick began.",
        ("plant",),
        FAST_S,
    ),
    Metric(
        "understudy_in_control",
        GAUGE,
        "bool",
        "1 for the rung in control, 0 for the others.",
        ("plant", "rung"),
        read=True,
    ),
    Metric(
        "understudy_mode",
        GAUGE,
        "bool",
        "1 for the mode the plant is in, 0 for the others.",
        ("plant", "mode"),
        read=True,
    ),
    Metric(
        "understudy_stage",
        GAUGE,
        "bool",
        "1 for the stage of the rollout, 0 for the others.",
        ("plant", "stage"),
        read=True,
    ),
    Metric(
        "understudy_stage_entered_timestamp_seconds",
        GAUGE,
        "seconds",
        "Plant time at which the stage was entered.",
        read=True,
    ),
    Metric(
        "understudy_rollout_version",
        GAUGE,
        "1",
        "Version of the rollout's state; it grows with every change.",
        read=True,
    ),
    Metric(
        "understudy_gate_checks", GAUGE, "1", "Checks of the next gate, by outcome.", ("plant", "outcome"), read=True
    ),
    Metric("understudy_trips", GAUGE, "1", "Trips and latches that wait for a reset.", read=True),
    Metric("understudy_stopped", GAUGE, "bool", "1 while STOP holds.", read=True),
    Metric("understudy_overridden", GAUGE, "bool", "1 while an operator's override is in force.", read=True),
    Metric("understudy_escapes_total", COUNTER, "1", "Commands that left the envelope. Must stay 0.", read=True),
    Metric(
        "understudy_breach_seconds_total",
        COUNTER,
        "seconds",
        "Time outside the plant's limits: applied, and in its simulated twins.",
        ("plant", "arm"),
        read=True,
    ),
    Metric(
        "understudy_cost_total",
        COUNTER,
        "`unit`",
        "What the plant declares as its cost: applied, and of its simulated twins.",
        ("plant", "arm", "unit"),
        read=True,
    ),
    Metric(
        "understudy_guard_total",
        COUNTER,
        "`unit`",
        "What must not grow while the cost falls: applied, and of its simulated twins.",
        ("plant", "arm", "guard", "unit"),
        read=True,
    ),
    Metric(
        "understudy_signal_value",
        GAUGE,
        "`unit`",
        "Signals that have a limit, in their own unit.",
        ("plant", "signal", "unit"),
        read=True,
    ),
    Metric(
        "understudy_signal_margin_ratio",
        GAUGE,
        "ratio",
        "Distance of a signal to its nearer limit: 1 is the middle of the band, 0 the limit, below 0 is outside.",
        ("plant", "signal"),
        read=True,
    ),
    Metric(
        "understudy_setpoint_position_ratio",
        GAUGE,
        "ratio",
        "Place of a setpoint in its envelope band: 0 is the low limit, 1 the high one.",
        ("plant", "setpoint", "who"),
        read=True,
    ),
    Metric(
        "understudy_signals_degraded",
        GAUGE,
        "1",
        "Signals whose quality is bad or stale.",
        ("plant", "quality"),
        read=True,
    ),
    Metric("understudy_oldest_signal_seconds", GAUGE, "seconds", "Age of the oldest signal.", read=True),
    Metric("understudy_policy_up", GAUGE, "bool", "1 while the candidate's process answers.", read=True),
    Metric("understudy_policy_resident_bytes", GAUGE, "bytes", "Memory of the candidate's process.", read=True),
    Metric("understudy_plant_timestamp_seconds", GAUGE, "seconds", "The plant's clock.", read=True),
    Metric("understudy_live_timestamp_seconds", GAUGE, "seconds", "Wall time of the last status.", read=True),
)
WEB = (
    Metric(
        "understudy_http_requests_total",
        COUNTER,
        "1",
        "Requests, by part of the service and class of answer.",
        ("area", "method", "code"),
    ),
    Metric(
        "understudy_http_request_seconds",
        HISTOGRAM,
        "seconds",
        "Time to answer; streams are not in it.",
        ("area",),
        WEB_S,
    ),
    Metric(
        "understudy_denied_requests_total",
        COUNTER,
        "1",
        "Requests without a valid token or session, or with an insufficient role.",
        ("reason",),
    ),
    Metric("understudy_sign_ins_total", COUNTER, "1", "Login links exchanged, and refused ones.", ("sign_in",)),
    Metric(
        "understudy_push_answers_total", COUNTER, "1", "Push-mode answers; all but `decided` relinquish.", ("answer",)
    ),
    Metric(
        "understudy_changes_total",
        COUNTER,
        "1",
        "Changes requested, by act and by their result within a second.",
        ("act", "result"),
    ),
    Metric("understudy_streams", GAUGE, "1", "Event streams open now.", (), read=True),
    Metric(
        "understudy_live_age_seconds",
        GAUGE,
        "seconds",
        "Age of the control process's last status, seen from here.",
        read=True,
    ),
    Metric("understudy_store_unreachable", GAUGE, "bool", "1 while the store does not take records.", read=True),
    Metric(
        "understudy_spool_lag_entries", GAUGE, "1", "Entries in the spool that the store does not have yet.", read=True
    ),
    Metric(
        "understudy_store_ok_timestamp_seconds",
        GAUGE,
        "seconds",
        "Wall time at which the store last took records.",
        read=True,
    ),
)
BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in (*CONTROL, *WEB)}
