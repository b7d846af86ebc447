"""The steps of one decision as values. The loop, the twins and every evaluation decide through these, and so alike.

manage the inputs -> [the candidate proposes] -> the incumbent proposes -> decide -> the incumbent tracks what was applied
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from controller.ports import Incumbent
from safety.decide import NO_MEASURES, decide_managed, situation
from safety.envelope import Envelope, permitted
from safety.inputs import Managed, manage
from safety.values import Memory, Observation, Proposal, Ruling, Signal, Source


@dataclass(frozen=True, slots=True)
class Flown:
    """A decision of `Pilot.fly`, and the incumbent's memory after it."""

    ruling: Ruling
    incumbent: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pilot:
    """Decides under one envelope, with one incumbent to fall back on. Keeps nothing: memories go in and come out."""

    envelope: Envelope
    incumbent: Incumbent

    def manage(self, reported: Observation, memory: Memory, *, elapsed_us: int) -> Managed:
        """Manage the inputs of what the plant reported, `elapsed_us` after `memory` was last aged, and add what is
        permitted now. This is what incumbent and candidate are given."""
        managed = manage(reported, self.envelope.inputs, memory, elapsed_us)
        allowed = permitted(self.envelope, situation(managed.observation, managed.memory, self.envelope))
        return Managed(replace(managed.observation, permitted=allowed), managed.memory, elapsed_us)

    def decide(
        self,
        managed: Managed,
        proposals: Mapping[Source, Proposal],
        assigned: Source,
        *,
        epoch: int,
        without: frozenset[Source] = frozenset(),
        measured: Mapping[str, Signal] = NO_MEASURES,
    ) -> Ruling:
        """The ruling on proposals; `without` and `measured` are those of `safety.decide`."""
        return decide_managed(
            managed, proposals, assigned, self.envelope, epoch=epoch, without=without, measured=measured
        )

    def track(self, memory: Mapping[str, Any], ruling: Ruling) -> Mapping[str, Any]:
        """The incumbent's memory once a ruling's command is applied. A relinquished plant leaves it as it is."""
        applied = ruling.command.setpoints
        return self.incumbent.track(memory, applied) if applied else memory

    def fly(
        self,
        managed: Managed,
        incumbent: Mapping[str, Any],
        candidate: Proposal | None = None,
        *,
        assigned: Source,
        measured: Mapping[str, Signal] = NO_MEASURES,
    ) -> Flown:
        """One whole decision for a simulated lane: ask the incumbent, which remembers `incumbent`; decide; track."""
        own, incumbent = self.incumbent.propose(managed.observation, incumbent)
        proposals = {Source.INCUMBENT: own} | ({} if candidate is None else {Source.CANDIDATE: candidate})
        ruling = self.decide(managed, proposals, assigned, epoch=0, measured=measured)
        return Flown(ruling, self.track(incumbent, ruling))
