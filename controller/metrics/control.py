"""The control process's metrics: a few additions per decision; everything else is read from the live status at scrape time."""

import json
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

from controller.api.live import PlantStatus, read
from controller.decision import Decision
from controller.metrics.catalogue import Names
from controller.metrics.instruments import counters, histograms
from controller.metrics.live import LiveCollector
from controller.ports import Event
from safety.envelope import Envelope
from safety.values import Rung, Source, Status
from shadow.comparison import Comparison

KERNEL_RULES = ("T0-schema", "T0-range", *(f"T0-{status.value}" for status in Status if status is not Status.OK))
_SOURCE = {Rung.CANDIDATE: "candidate", Rung.INCUMBENT: "incumbent", Rung.OPERATOR: "operator"}


def names_of(envelope: Envelope, stages: Iterable[str]) -> Names:
    """The label values of a plant."""
    return Names(
        plant=(envelope.plant,),
        rule=(*KERNEL_RULES, *(rule.id for rule in envelope.command_rules)),
        setpoint=tuple(spec.name for spec in envelope.setpoints),
        signal=tuple(spec.name for spec in envelope.signals),
        stage=tuple(stages),
    )


class ControlMetrics:
    """One plant's metrics. The loop's thread calls `decided`, `happened` and `began`; a scrape may come from any thread.

    `live` returns the status as JSON text, as `SpoolReader.live` does.
    """

    def __init__(
        self, registry: CollectorRegistry, envelope: Envelope, stages: Iterable[str], live: Callable[[], str | None]
    ) -> None:
        names, self._plant, self._live = names_of(envelope, stages), envelope.plant, live
        self._ranges = {spec.name: (spec.high - spec.low) or 1.0 for spec in envelope.setpoints}
        self._decisions = counters(registry, "understudy_decisions_total", names)
        self._assignments = counters(registry, "understudy_assignments_total", names)
        self._proposals = counters(registry, "understudy_proposals_total", names)
        self._refusals = counters(registry, "understudy_refusals_total", names)
        self._comparisons = counters(registry, "understudy_comparisons_total", names)
        self._events = counters(registry, "understudy_events_total", names)
        self._difference = histograms(registry, "understudy_step_difference_ratio", names)
        self._proposing = histograms(registry, "understudy_proposal_seconds", names)
        self._deciding = histograms(registry, "understudy_decide_seconds", names)[(self._plant,)]
        self._lateness = histograms(registry, "understudy_tick_lateness_seconds", names)[(self._plant,)]
        registry.register(LiveCollector(self._status, names))

    def decided(self, decision: Decision, comparison: Comparison | None = None) -> None:
        """Count one decision."""
        plant = self._plant
        self._decisions[plant, decision.command.rung.value].inc()
        self._assignments[plant, decision.assignment.source.value].inc()
        for proposal in decision.proposals:
            self._proposals[plant, proposal.source.value, proposal.status.value].inc()
        for judged in decision.judged:
            if not judged.accepted:
                for rule in {finding.rule for finding in judged.findings if finding.refuses}:
                    self._refused(_SOURCE[judged.rung], rule)
        latencies_us = decision.latencies_us
        for source in (Source.INCUMBENT, Source.CANDIDATE):
            if source.value in latencies_us:
                self._proposing[plant, source.value].observe(latencies_us[source.value] / 1e6)
        if "decide" in latencies_us:
            self._deciding.observe(latencies_us["decide"] / 1e6)
        if comparison is not None:
            self._compared(comparison)

    def happened(self, event: Event) -> None:
        """Count one event; a kind that is not declared counts as a note."""
        kind = event.kind if (self._plant, event.kind) in self._events else "note"
        self._events[self._plant, kind].inc()

    def began(self, late_s: float) -> None:
        """Note how late a tick began."""
        self._lateness.observe(late_s)

    def _refused(self, source: str, rule: str) -> None:
        child = self._refusals.get((self._plant, source, rule))
        if child is not None:  # a rule of an envelope swapped in since the start has no series until the next start
            child.inc()

    def _compared(self, comparison: Comparison) -> None:
        self._comparisons[self._plant, comparison.klass.value].inc()
        for name, difference in comparison.channels.items():
            self._difference[self._plant, name].observe(abs(difference) / self._ranges[name])

    def _status(self) -> PlantStatus | None:
        """The status, or None when it cannot be had: a scrape must still tell the counters."""
        try:
            text = self._live()
            return None if text is None else read(json.loads(text))
        except Exception:  # whatever the file system or a half-written status brings: `up` and the counters matter more
            return None


def control_registry() -> CollectorRegistry:
    """A registry with the process's own figures (memory, processor time, open files)."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


def serve(registry: CollectorRegistry, host: str, port: int) -> Callable[[], None]:
    """Serve the control target from a small thread of its own. Returns what ends it."""
    server, thread = start_http_server(port, host, registry)

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join(5)

    return end
