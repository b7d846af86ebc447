"""The candidate as the loop sees it: `ports.Candidate` over a child process. Whatever the child does becomes a status.

    asked, answered in time, finite, right shape -> OK             a signal it needs is missing -> ABSENT (the child is not asked)
    answered after the deadline                  -> LATE           reply nothing at all          -> LATE, and the child is killed
    crashed, garbage, graph raised               -> FAILED         NaN or infinite              -> NOT_FINITE
    resident memory above its limit              -> OVER_MEMORY, and the child is killed

A dead child is started again on a thread, at once the first time, then after 1, 3, 7, ... further asks; the tick never
waits for it while there is a deadline. Without one (`deadline_us=None`: seeded runs faster than real time) no clock is
read and the tick waits for a restart, so that the same seed gives the same statuses. Only a child that is silent for
`HANG_S` is then killed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from controller.policies.bundle import Bundle
from controller.policies.features import FeatureBuilder, MissingInputError, targets
from controller.policies.manifest import BundleError
from controller.policies.process import COMMAND, ChildLink, ChildStart
from controller.protocol import policy_wire
from safety.values import Observation, Proposal, Source, Status

HANG_S = 30.0
START_S = 30.0
MAX_SKIPPED = 288  # asks between restarts: a day of five-minute ticks
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Health:
    """What an operator is shown of the child. `state` is `up`, `starting` or `down`; `why` the last failure."""

    state: str
    pid: int
    rss_bytes: int
    latency_us: int
    why: str


class ChildCandidate:
    """A signed bundle, served by a killable child. `propose` returns within `deadline_us + grace_us`, whatever the child does."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        deadline_us: int | None,
        rss_limit_bytes: int = 512 * _MIB,
        grace_us: int = 50_000,
        command: Sequence[str] = COMMAND,
    ) -> None:
        """Start the child and wait until it is ready. Raises BundleError if it cannot serve this bundle."""
        self._bundle = bundle
        self._deadline_us = deadline_us
        self._within_s = HANG_S if deadline_us is None else (deadline_us + grace_us) / 1e6
        self._rss_limit_bytes = rss_limit_bytes
        self._command = tuple(command)
        self._builder = FeatureBuilder(bundle.manifest)
        self._link: ChildLink | None = None
        self._start: ChildStart | None = None
        self._requests = self._failures = self._to_skip = 0
        self._rss_bytes = self._latency_us = 0
        self._why = ""
        self._begin()
        try:
            self._take(wait=True)
        except (policy_wire.WireError, OSError) as error:
            raise BundleError(f"bundle `{bundle.manifest.name}` cannot be served: {error}") from error

    @property
    def digest(self) -> str:
        return self._bundle.digest

    @property
    def health(self) -> Health:
        state = "up" if self._link else "starting" if self._start else "down"
        return Health(state, self._link.pid if self._link else 0, self._rss_bytes, self._latency_us, self._why)

    def propose(self, observations: Sequence[Observation]) -> list[Proposal]:
        """One proposal per observation, in one round trip for all of them."""
        proposals: list[Proposal | None] = []
        rows = []
        for observation in observations:
            try:
                rows.append(self._builder.features(observation))
                proposals.append(None)
            except MissingInputError as error:
                proposals.append(_without(Status.ABSENT, str(error)))
        answered = iter(self._ask(rows) if rows else ())
        return [proposal or next(answered) for proposal in proposals]

    def close(self) -> None:
        """End the child."""
        if self._start is not None:
            self._start.abandon()
        if self._link is not None:
            self._link.close()
        self._link = self._start = None

    def _ask(self, rows: list[np.ndarray]) -> list[Proposal]:
        """One round trip; its outcome per row."""
        link = self._up()
        if link is None:
            return [_without(Status.FAILED, f"policy child is {self.health.state}: {self._why}")] * len(rows)
        self._requests += 1
        try:
            reply = link.ask(
                policy_wire.Ask(self._requests, len(rows), b"".join([row.tobytes() for row in rows])), self._within_s
            )
        except policy_wire.WireTimeoutError:
            proposal = _without(Status.LATE, f"no answer within {self._within_s * 1e3:g} ms: child killed")
        except policy_wire.WireError as error:
            proposal = _without(Status.FAILED, str(error))
        else:
            self._rss_bytes = reply.rss_bytes
            if reply.rss_bytes <= self._rss_limit_bytes:
                return self._meaning(reply, len(rows))
            proposal = _without(
                Status.OVER_MEMORY,
                f"resident memory {reply.rss_bytes // _MIB} MiB, limit {self._rss_limit_bytes // _MIB} MiB: child killed",
            )
        self._drop(proposal.detail)
        return [proposal] * len(rows)

    def _meaning(self, reply: policy_wire.Answer | policy_wire.Failed, rows: int) -> list[Proposal]:
        """The statuses of a child that answered."""
        if isinstance(reply, policy_wire.Failed):
            return [_without(Status.FAILED, reply.detail)] * rows
        self._failures, self._latency_us = 0, reply.latency_us
        wanted = (rows, len(self._bundle.manifest.outputs))
        if tuple(reply.shape) != wanted or len(reply.values) != 4 * wanted[0] * wanted[1]:
            return [_without(Status.WRONG_SHAPE, f"shape {list(reply.shape)}, wanted {list(wanted)}")] * rows
        if self._deadline_us is not None and reply.latency_us > self._deadline_us:
            return [_without(Status.LATE, f"{reply.latency_us} us, deadline {self._deadline_us} us")] * rows
        values = np.frombuffer(reply.values, dtype="<f4").reshape(wanted)
        return [self._proposal(row.tolist()) for row in values]

    def _proposal(self, row: list[float]) -> Proposal:
        if not all(map(isfinite, row)):
            return _without(Status.NOT_FINITE, f"answered {row}")
        return Proposal(Source.CANDIDATE, targets(self._bundle.manifest.outputs, row))

    def _up(self) -> ChildLink | None:
        """The child if it can be asked now; otherwise bring it a step closer to that."""
        if self._link is not None:
            return self._link
        if self._start is None and self._to_skip > 0:
            self._to_skip -= 1
            return None
        if self._start is None:
            self._begin()
        try:
            self._take(wait=self._deadline_us is None)
        except (policy_wire.WireError, OSError) as error:
            self._start = None
            self._back_off(str(error))
        return self._link

    def _begin(self) -> None:
        self._start = ChildStart(self._bundle, self._command, START_S)

    def _take(self, *, wait: bool) -> None:
        """Take over a started child if it is ready. Raises what kept it from starting."""
        assert self._start is not None
        if started := self._start.result(wait=wait):
            self._link, ready = started
            self._rss_bytes, self._start = ready.rss_bytes, None

    def _drop(self, why: str) -> None:
        """Kill the child, and with it any answer still to come."""
        assert self._link is not None
        how = self._link.kill()
        self._link = None
        self._back_off(f"{why} ({how})")

    def _back_off(self, why: str) -> None:
        """Start again at once after a first failure, and ever later while no answer comes."""
        self._why = why
        self._to_skip = min(2**self._failures - 1, MAX_SKIPPED)
        self._failures = min(self._failures + 1, 16)
        if self._to_skip == 0:
            self._begin()


def _without(status: Status, detail: str) -> Proposal:
    """A proposal that proposes nothing, and says why."""
    return Proposal(Source.CANDIDATE, {}, status, detail)
