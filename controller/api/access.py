"""Tokens, one-time login links and console sessions, in `access.sqlite` of the state directory.

Only SHA-256 hashes are stored. A slow, salted hash protects secrets that people choose; these are 256 random bits,
which nobody can guess however fast the hash is, and checking one on every request must be cheap. Any process may
open the book: the supervisor makes the login link, the command line makes tokens, the web process checks them.
"""

import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from controller.api.roles import Principal, Role

FILE = "access.sqlite"
TOKEN_PREFIX = "ust_"
LINK_VALID_S = 15 * 60
SESSION_VALID_S = 12 * 3600
CACHE_US = 1_000_000
US_PER_S = 1_000_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS secret (
    hash BLOB PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('token', 'link', 'session')),
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    expires_us INTEGER
) WITHOUT ROWID
"""


def hashed(secret: str) -> bytes:
    """Return the SHA-256 of a secret, the only form in which it is stored."""
    return hashlib.sha256(secret.encode()).digest()


class AccessBook:
    """The secrets of one site. A revoked token stops working within CACHE_US in a process that has just seen it."""

    def __init__(self, path: Path, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._lock = threading.Lock()
        self._cache: dict[tuple[str, str], tuple[int, Principal | None]] = {}
        self._db = sqlite3.connect(path, timeout=2.0, isolation_level=None, check_same_thread=False)
        path.chmod(0o600)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(_SCHEMA)

    def create_token(self, actor: str, role: Role, valid_for_s: int | None = None) -> str:
        """A new API token. It is shown once and cannot be read back."""
        return TOKEN_PREFIX + self._create("token", actor, role, valid_for_s, TOKEN_PREFIX)

    def create_link(self, actor: str, role: Role, valid_for_s: int = LINK_VALID_S) -> str:
        """The secret of a login link: good once, and not for long."""
        return self._create("link", actor, role, valid_for_s)

    def redeem_link(self, link: str) -> tuple[str, Principal] | None:
        """Exchange a link's secret for a new session's; None if it was used before, has expired or never was."""
        with self._lock:
            row = self._db.execute(
                "DELETE FROM secret WHERE hash = ? AND kind = 'link' RETURNING actor, role, expires_us", (hashed(link),)
            ).fetchone()
        if row is None or row[2] <= self._now_us():
            return None
        actor, role = str(row[0]), Role.of(row[1])
        return self._create("session", actor, role, SESSION_VALID_S), Principal(actor, role, "session")

    def token(self, secret: str) -> Principal | None:
        """Return the principal of a token, or None if it is unknown or has expired."""
        return self._known("token", secret)

    def session(self, secret: str) -> Principal | None:
        """Return the principal of a console session, or None if it is unknown or has expired."""
        return self._known("session", secret)

    def revoke(self, secret: str) -> bool:
        """Forget a secret. Says whether it was known."""
        with self._lock:
            self._cache.clear()
            return self._db.execute("DELETE FROM secret WHERE hash = ?", (hashed(secret),)).rowcount == 1

    def close(self) -> None:
        self._db.close()

    def _create(self, kind: str, actor: str, role: Role, valid_for_s: int | None, prefix: str = "") -> str:
        if not actor.strip():
            raise ValueError("`actor` is empty: name the person or program this is for")
        secret = secrets.token_urlsafe(32)
        now_us = self._now_us()
        expires_us = None if valid_for_s is None else now_us + valid_for_s * US_PER_S
        with self._lock:
            self._db.execute("DELETE FROM secret WHERE expires_us <= ?", (now_us,))
            self._db.execute(
                "INSERT INTO secret VALUES (?, ?, ?, ?, ?, ?)",
                (hashed(prefix + secret), kind, actor, role.word, now_us, expires_us),
            )
        return secret

    def _known(self, kind: str, secret: str) -> Principal | None:
        now_us = self._now_us()
        seen = self._cache.get((kind, secret))
        if seen is not None and now_us - seen[0] < CACHE_US:
            return seen[1]
        with self._lock:
            row = self._db.execute(
                "SELECT actor, role FROM secret WHERE hash = ? AND kind = ? AND (expires_us IS NULL OR expires_us > ?)",
                (hashed(secret), kind, now_us),
            ).fetchone()
        found = None if row is None else Principal(str(row[0]), Role.of(row[1]), kind)
        if len(self._cache) > 1000:
            self._cache.clear()
        self._cache[kind, secret] = (now_us, found)
        return found


def create_token(state: Path, actor: str, role: str, now_us: Callable[[], int], valid_for_s: int | None = None) -> str:
    """`understudy token create`: a token for `actor` on the site whose state directory is `state`."""
    book = AccessBook(state / FILE, now_us)
    try:
        return book.create_token(actor, Role.of(role), valid_for_s)
    finally:
        book.close()


def create_login_url(
    state: Path, base_url: str, now_us: Callable[[], int], *, actor: str = "console", role: str = "approver"
) -> str:
    """The link `understudy run` and `understudy login` print: opens the console once, within LINK_VALID_S."""
    book = AccessBook(state / FILE, now_us)
    try:
        return f"{base_url.rstrip('/')}/login?token={book.create_link(actor, Role.of(role))}"
    finally:
        book.close()
