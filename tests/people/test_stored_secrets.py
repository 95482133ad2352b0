"""Test that stored passwords and tokens are hashes that give no access."""

from __future__ import annotations

import asyncio
import re
import time
import unicodedata

import httpx
import pytest
from argon2 import PasswordHasher

from signalbox.store import InvalidEvent
from signalbox.store.people import checked_email
from signalbox.webapp.auth import passwords, secrets
from tests.support.people import session
from tests.support.server import Server


def test_a_password_is_stored_as_a_salted_hash() -> None:
    stored_hash, again = passwords.hash_of("correct horse"), passwords.hash_of("correct horse")
    assert stored_hash.startswith("$argon2id$")
    assert stored_hash != again
    assert passwords.verify(stored_hash, "correct horse")
    assert not passwords.verify(stored_hash, "correct house")
    assert not passwords.verify(stored_hash, "\ud800orrect horse")
    assert not passwords.verify("no hash", "correct horse")


def test_a_password_is_normalised_before_it_is_compared() -> None:
    typed = "pässwörter"
    assert passwords.verify(passwords.hash_of(typed), unicodedata.normalize("NFD", typed))


@pytest.mark.parametrize("password", ["", "1234567", "x" * 1025, "\ud800" * 8])
def test_an_invalid_password_is_refused(password: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        passwords.hash_of(password)
    assert refused.value.field == "password"


def test_too_long_a_password_is_refused_before_it_is_normalised() -> None:
    # Unicode normalisation of combining marks is quadratic: this takes minutes, and no other thread runs meanwhile.
    endless = "a" + "\u0301\u0323" * 800_000
    started_at = time.monotonic()
    assert not passwords.verify(passwords.hash_of("correct horse"), endless)
    with pytest.raises(InvalidEvent):
        passwords.hash_of(endless)
    with pytest.raises(InvalidEvent):
        checked_email(endless + "@example.org")
    assert time.monotonic() - started_at < 30


def test_a_hash_with_old_parameters_is_accepted_and_reported_as_outdated() -> None:
    older = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")
    assert passwords.verify(older, "correct horse")
    assert passwords.is_outdated(older)
    assert not passwords.is_outdated(passwords.hash_of("correct horse"))


def test_a_log_in_renews_an_outdated_hash_and_ends_no_other_session(server: Server) -> None:
    people = server.store.people
    older = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")
    other_session = session(server.store, people.add_account("ann@example.org", older))

    def stored_hash() -> str:
        found = asyncio.run(people.account_by_email("ann@example.org"))
        assert found is not None
        return found[1]

    form = {"email": "ann@example.org", "password": "wrong horse"}
    httpx.post(f"{server.url}/login", data=form)
    assert stored_hash() == older
    entered = httpx.post(f"{server.url}/login", data={**form, "password": "correct horse"})
    assert entered.status_code == 303
    assert passwords.verify(stored_hash(), "correct horse")
    assert not passwords.is_outdated(stored_hash())
    assert server.get("/api/tasks", cookies=entered.cookies).status_code == 200
    assert server.get("/api/tasks", headers=other_session).status_code == 200


def test_tokens_are_long_and_random_and_have_a_prefix() -> None:
    tokens = {secrets.new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"sbx_[A-Za-z0-9_-]{43}", token) for token in tokens)
    assert re.fullmatch(r"[0-9a-f]{64}", secrets.digest_of(tokens.pop()))
