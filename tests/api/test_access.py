"""Tokens, links and sessions."""

import sqlite3
from pathlib import Path

import pytest

from controller.api.access import FILE, AccessBook, create_login_url, create_token, hashed
from controller.api.roles import Principal, Role
from tests.loop.fakes import WALL_US


def test_a_token_names_its_actor_and_role(access: AccessBook) -> None:
    token = access.create_token("night shift", Role.OPERATOR)
    assert access.token(token) == Principal("night shift", Role.OPERATOR, "token")
    assert access.token(token[:-1]) is None
    assert access.session(token) is None


def test_no_secret_is_stored(access: AccessBook, tmp_path: Path) -> None:
    secrets = [access.create_token("me", Role.VIEWER), access.create_link("me", Role.APPROVER)]
    stored = [row[0] for row in sqlite3.connect(tmp_path / FILE).execute("SELECT hash FROM secret")]
    assert sorted(stored) == sorted(hashed(secret) for secret in secrets)
    on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(secret.removeprefix("ust_").encode() in on_disk for secret in secrets)


def test_only_the_owner_may_read_the_book(access: AccessBook, tmp_path: Path) -> None:
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_a_login_link_works_once(access: AccessBook) -> None:
    link = access.create_link("console", Role.APPROVER)
    redeemed = access.redeem_link(link)
    assert redeemed is not None
    assert access.session(redeemed[0]) == Principal("console", Role.APPROVER, "session")
    assert access.redeem_link(link) is None


def test_secrets_expire(tmp_path: Path) -> None:
    now = [WALL_US]
    book = AccessBook(tmp_path / FILE, lambda: now[0])
    token, link = book.create_token("me", Role.VIEWER, valid_for_s=60), book.create_link("me", Role.VIEWER, 60)
    assert book.token(token) is not None
    now[0] += 60 * 10**6
    assert book.token(token) is None
    assert book.redeem_link(link) is None
    book.close()


def test_revoked_token_is_refused_at_once_by_the_revoking_process(access: AccessBook) -> None:
    token = access.create_token("me", Role.OPERATOR)
    assert access.token(token) is not None
    assert access.revoke(token)
    assert access.token(token) is None
    assert not access.revoke(token)


def test_a_token_made_by_another_process_is_known(access: AccessBook, tmp_path: Path) -> None:
    token = create_token(tmp_path, "script", "viewer", lambda: WALL_US)
    assert access.token(token) == Principal("script", Role.VIEWER, "token")


def test_login_link_points_to_the_console_address(tmp_path: Path, access: AccessBook) -> None:
    url = create_login_url(tmp_path, "http://127.0.0.1:8800/", lambda: WALL_US)
    start, _, secret = url.partition("?token=")
    assert start == "http://127.0.0.1:8800/login"
    assert access.redeem_link(secret) is not None


def test_an_unknown_role_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="viewer, operator, approver"):
        create_token(tmp_path, "me", "root", lambda: WALL_US)


def test_a_secret_needs_an_actor(access: AccessBook) -> None:
    with pytest.raises(ValueError, match="`actor` is empty"):
        access.create_token(" ", Role.VIEWER)
