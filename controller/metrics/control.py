"""The control process's metrics: a few additions per decision; everything else is read from the live status at scrape time."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

from controller.metrics.catalogue import LABELS, Names
from controller.metrics.instruments import Instruments
from controller.metrics.live import LiveCollector
from controller.ports import Event
from controller.protocol.status import PlantStatus, decode
from controller.records.decision import Decision, Judged
from safety.envelope import Envelope
from safety.values import Rung, Status
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
        instruments = Instruments(names)
        self._decisions = instruments.counter("understudy_decisions_total")
        self._assignments = instruments.counter("understudy_assignments_total")
        self._proposals = instruments.counter("understudy_proposals_total")
        self._refusals = instruments.counter("understudy_refusals_total")
        self._comparisons = instruments.counter("understudy_comparisons_total")
        self._events = instruments.counter("understudy_events_total")
        self._difference = instruments.histogram("understudy_step_difference_ratio")
        self._proposing = instruments.histogram("understudy_proposal_seconds")
        self._deciding = instruments.histogram("understudy_decide_seconds")
        self._lateness = instruments.histogram("understudy_tick_lateness_seconds")
        registry.register(instruments)
        registry.register(LiveCollector(self._status, names))

    def decided(self, decision: Decision, comparison: Comparison | None = None) -> None:
        """Count one decision."""
        plant, latencies_us = self._plant, decision.latencies_us
        self._decisions.add(plant, decision.command.rung.value)
        self._assignments.add(plant, decision.assignment.source.value)
        for proposal in decision.proposals:
            self._proposals.add(plant, proposal.source.value, proposal.status.value)
        for judged in decision.judged:
            if not judged.accepted:
                self._refused(judged)
        for source in ("incumbent", "candidate"):
            if source in latencies_us:
                self._proposing.observe(latencies_us[source] / 1e6, plant, source)
        if "decide" in latencies_us:
            self._deciding.observe(latencies_us["decide"] / 1e6, plant)
        if comparison is not None:
            self._compared(comparison)

    def happened(self, event: Event) -> None:
        """Count one event; a kind that is not declared counts as a note."""
        kind = event.kind if event.kind in LABELS["event"] else "note"
        self._events.add(self._plant, kind)

    def began(self, late_s: float) -> None:
        """Note how late a tick began."""
        self._lateness.observe(late_s, self._plant)

    def _refused(self, judged: Judged) -> None:
        for rule in {finding.rule for finding in judged.findings if finding.refuses}:
            key = (self._plant, _SOURCE[judged.rung], rule)
            if key in self._refusals.values:  # a rule of an envelope swapped in has no series until the next start
                self._refusals.values[key] += 1.0

    def _compared(self, comparison: Comparison) -> None:
        self._comparisons.add(self._plant, comparison.comparison_class.value)
        for name, difference in comparison.channels.items():
            self._difference.observe(abs(difference) / self._ranges[name], self._plant, name)

    def _status(self) -> PlantStatus | None:
        """The status, or None when it cannot be had: a scrape must still tell the counters."""
        try:
            text = self._live()
            return None if text is None else decode(text)
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
