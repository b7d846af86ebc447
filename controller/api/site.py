"""The backend of a running site: its state directory, its control socket, and its store, which may be away."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from controller.api.backend import BackendAwayError
from controller.ports import Event
from controller.protocol.push import DecideRequest, DecideResponse
from controller.protocol.push_client import PushClient, notify
from controller.protocol.status import PlantStatus
from controller.protocol.status_reader import read_status
from controller.records.decision import Decision
from controller.records.errors import IntentError, RecordsError, SpoolError, StoreError
from controller.records.operator_queue import Intent, IntentState, OperatorQueue
from controller.records.queries import DecisionFilter
from controller.records.spool_reader import SpoolReader
from controller.records.stop_latch import write_stop
from controller.records.store import Store
from safety.envelope import Envelope

SOCKET = "control.sock"


class SiteBackend:
    """One site's state directory. The spool answers what it still holds, the store what is older or filtered.

    `plants` are the plants the site is configured for; `envelopes` those held, by digest.
    """

    def __init__(
        self, state: Path, plants: list[str], envelopes: Mapping[str, Envelope], open_store: Callable[[], Store]
    ) -> None:
        self._state, self._plants, self._envelopes = state, plants, envelopes
        self._spool = SpoolReader(state / "spool.sqlite")
        self._queue = OperatorQueue(state / "intents.sqlite")
        self._open_store, self._store = open_store, None  # type: Callable[[], Store], Store | None
        self._push = PushClient(state / SOCKET)

    def plants(self) -> list[str]:
        return self._plants

    def live(self, plant: str) -> PlantStatus | None:
        with _away():
            status = read_status(self._spool, self._state)
            return None if status is None or status.plant != plant else status

    def decisions(
        self, plant: str, *, limit: int, before: str | None = None, subject: str | None = None
    ) -> list[Decision]:
        """From the spool; from the store what is filtered by subject, or older than the spool.

        The first page never waits for the store: the newest decisions must show while the store is not reachable.
        """
        if subject is not None:
            return self._stored(DecisionFilter(plant=plant, subject=subject), limit, before)
        with _away():
            known = before is None or self._spool.record(before) is not None
            newest = self._spool.recent(limit, before) if known else []
        if newest or before is None:
            return newest
        return self._stored(DecisionFilter(plant=plant), limit, before)

    def decision(self, decision_id: str) -> Decision | None:
        with _away():
            found = self._spool.decision(decision_id)
            if found is not None:
                return found
            stored = self._opened().decision(decision_id)
            return None if stored is None else stored.decode()

    def envelope(self, digest: str) -> Envelope | None:
        return self._envelopes.get(digest)

    def events(self, plant: str, *, after: int, limit: int) -> list[tuple[int, Event]]:
        with _away():
            return self._spool.events_after(after, limit)

    def last_event(self, plant: str) -> int:
        with _away():
            return self._spool.last_event()

    def submit(self, act: Intent) -> Intent:
        with _away():
            stored = self._queue.submit(act)
        notify(self._state / SOCKET)
        return stored

    def act(self, act_id: str) -> IntentState | None:
        with _away():
            return self._queue.get(act_id)

    def acts(self, plant: str, *, limit: int) -> list[IntentState]:
        with _away():
            return [state for state in self._queue.recent(limit) if state.intent.plant == plant]

    def stop(self, plant: str, *, actor: str, reason: str) -> None:
        """Write the latch file, which the control process reads on every guard, then notify it."""
        try:
            write_stop(self._state, actor, reason)
        except OSError as error:
            raise BackendAwayError(f"the STOP latch cannot be written ({error}): run `understudy stop`") from error
        notify(self._state / SOCKET)

    async def decide(self, plant: str, request: DecideRequest) -> DecideResponse:
        return await self._push.decide(plant, request)

    def close(self) -> None:
        """Let go of files and connections."""
        self._push.close()
        self._spool.close()
        self._queue.close()
        if self._store is not None:
            self._store.close()

    def _stored(self, wanted: DecisionFilter, limit: int, before: str | None) -> list[Decision]:
        with _away():
            return [stored.decode() for stored in self._opened().decisions(wanted, limit, before)]

    def _opened(self) -> Store:
        """The store, opened when first needed: the page must load while the store is not reachable."""
        if self._store is None:
            self._store = self._open_store()
        return self._store


@contextmanager
def _away() -> Iterator[None]:
    """What cannot be read, as the one error that routes know."""
    try:
        yield
    except SpoolError as error:
        raise BackendAwayError(f"the spool cannot be read ({error}): is the control process running?") from error
    except StoreError as error:
        raise BackendAwayError(
            f"the store is not reachable ({error}); records still in the spool can be read"
        ) from error
    except IntentError as error:
        raise BackendAwayError(f"the operator queue cannot be used ({error}); STOP still works") from error
    except (RecordsError, ValueError) as error:
        raise BackendAwayError(f"a record or the status cannot be read: {error}") from error
