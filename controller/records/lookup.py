"""What a run has kept, found again in its spool or in the store behind it: decisions, and the envelopes that judged them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from controller.errors import IntegrityError, StateError
from controller.records.chain import Link
from controller.records.codec import decode
from controller.records.decision import Decision
from controller.records.errors import StoreError
from controller.records.spool_reader import SpoolReader
from controller.settings import Site
from safety.envelope import Envelope
from safety.loading.spec import EnvelopeModel, build_envelope, load_envelope

if TYPE_CHECKING:
    from controller.records.store import Store


def store_url(url: str, state: Path) -> str:
    """The store's URL; a relative SQLite path lies in the state directory."""
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        return prefix + str((state / url.removeprefix(prefix)).resolve())
    return url


def find_decision(decision_id: str, folder: Path, url: str) -> Decision:
    """A decision of spool or store. Raises StateError where neither has it."""
    return decode(find_link(decision_id, folder, url)[4])


def find_link(decision_id: str, folder: Path, url: str) -> Link:
    """The record of a decision with its hashes, from spool or store; `last` is the one written last. Raises StateError."""
    with closing(_spool(folder)) as spool:
        found = spool.link(None if decision_id == "last" else decision_id)
    if found is not None:
        return found
    if decision_id == "last":
        raise StateError("there is no decision yet")
    with _store(url) as store:
        stored = store.decision(decision_id)
    if stored is None:
        raise StateError(
            f"no decision `{decision_id}` in spool or store: `understudy replay last` shows what an id looks like"
        )
    return (0, stored.plant, stored.subject, stored.taken_at, stored.record, stored.prev_hash, stored.hash)


def envelope_of(site: Site, digest: str, state: Path) -> Envelope:
    """The envelope a decision names, as it was kept with the decisions; the site's own where it was not kept.

    The site's file may have been edited since, or broken. Raises SpecError, or IntegrityError if what was kept is not that one.
    """
    body = _artefact(digest, state, store_url(site.settings.store.url, state))
    if body is None:
        return load_envelope(site.folder / site.settings.files.envelope)
    found = build_envelope(EnvelopeModel.model_validate_json(body))
    if found.digest != digest:
        raise IntegrityError(
            f"what was kept as envelope {digest[:12]} is {found.digest[:12]}: restore it from a backup"
        )
    return found


def _artefact(digest: str, state: Path, url: str) -> bytes | None:
    """Return an artefact of the spool or the store; None if neither has it or the store is not reachable."""
    with closing(_spool(state)) as spool:
        if (body := spool.artefact(digest)) is not None:
            return body
    with _store(url) as store:
        try:
            return store.get_artefact(digest)
        except StoreError:
            return None


def _spool(state: Path) -> SpoolReader:
    return SpoolReader(state / "spool.sqlite")


@contextmanager
def _store(url: str) -> Iterator["Store"]:
    # Imported when it is needed: SQLAlchemy takes longer than all the rest, and nearly everything asked for is in the spool.
    from controller.records.store import Store

    store = Store(url)
    try:
        yield store
    finally:
        store.close()
