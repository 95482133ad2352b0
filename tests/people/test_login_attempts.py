"""Test the limits on password guesses: which guesses count, and that guesses by others lock out no owner."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from signalbox.store import Conflict
from signalbox.store.people import checked_email, digest_of
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.auth import passwords
from signalbox.webapp.auth.login_attempts import (
    MAX_RUNNING,
    MAX_WAITING_PER_NETWORK,
    LoginAttempts,
    PasswordChecks,
    network_of,
)
from signalbox.webapp.auth.secrets import new_secret
from signalbox.webapp.http.refusals import LoginsBusy, TooManyLogins
from tests.support.people import PASSWORD, person, time_from_now, wait_until_guarded
from tests.support.server import Server
from tests.support.waiting import wait_until

BROWSER = "signalbox_browser"
WRONG = "a guess of mine"


def log_in(server: Server, email: str, password: str, source: str = "192.0.2.1", cookie: str = "") -> httpx.Response:
    headers = {"X-Forwarded-For": source} | ({"Cookie": f"{BROWSER}={cookie}"} if cookie else {})
    form = {"email": email, "password": password}
    return httpx.post(f"{server.url}/login", data=form, headers=headers, timeout=60)


@pytest.fixture
def proxied(start_server: Callable[..., Server]) -> Server:
    """Start a server that trusts this test's `X-Forwarded-For` and allows two failures per network and account."""
    server = start_server(login_attempts=2, trusted_proxies="127.0.0.1")
    person(server.store, "ann@example.org", default="operator")
    wait_until_guarded(server)
    return server


def test_all_spellings_of_an_address_share_one_budget(proxied: Server) -> None:
    spellings = ["ann@example.org", " ANN@Example.ORG\t", "ａｎｎ@example.org", "Ann@example.org"]
    assert [log_in(proxied, email, WRONG).status_code for email in spellings] == [401, 401, 429, 429]
    unknown = ["eve@example.org", "EVE@example.org ", "ｅve@example.org"]
    assert [log_in(proxied, email, WRONG, "192.0.2.9").status_code for email in unknown] == [401, 401, 429]


def test_guesses_from_many_addresses_are_stopped_without_locking_the_owner_out(proxied: Server) -> None:
    at_home = log_in(proxied, "ann@example.org", PASSWORD, "198.51.100.7")
    assert at_home.status_code == 303
    spread = [log_in(proxied, "ann@example.org", WRONG, f"203.0.113.{n}").status_code for n in range(12)]
    assert spread == [401] * 10 + [429] * 2
    assert log_in(proxied, "ann@example.org", PASSWORD, "203.0.113.200").status_code == 429
    # The owner can still log in from a network she used before, and with her browser from any network.
    assert log_in(proxied, "ann@example.org", PASSWORD, "198.51.100.7").status_code == 303
    known = at_home.cookies[BROWSER]
    assert log_in(proxied, "ann@example.org", PASSWORD, "203.0.113.201", known).status_code == 303
    assert log_in(proxied, "ann@example.org", PASSWORD, "203.0.113.202", known[:-1] + "x").status_code == 429


def test_a_known_browser_has_a_limit_too(proxied: Server) -> None:
    known = log_in(proxied, "ann@example.org", PASSWORD, "198.51.100.7").cookies[BROWSER]
    tries = [log_in(proxied, "ann@example.org", WRONG, "203.0.113.5", known).status_code for _ in range(5)]
    assert tries == [401, 401, 401, 401, 429]
    assert log_in(proxied, "bob@example.org", WRONG, "203.0.113.5", known).status_code == 401


def test_only_failures_count(proxied: Server) -> None:
    for _ in range(12):
        assert log_in(proxied, "ann@example.org", PASSWORD).status_code == 303


@pytest.mark.parametrize(
    ("source", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
        (None, ""),
    ],
)
def test_an_ipv6_host_counts_as_its_network(source: str | None, network: str) -> None:
    assert network_of(source) == network


async def test_processes_share_their_budgets_and_old_failures_are_forgotten(store: SqliteStore) -> None:
    one, two, three = (LoginAttempts(store, 2) for _ in range(3))
    await one.attempt("ann", "home")
    await two.attempt("ann", "home")
    for _ in range(2):
        with pytest.raises(TooManyLogins) as refused:
            await three.attempt("ann", "home")
        assert 299 < refused.value.retry_after <= 300
    await three.attempt("bob", "home")
    earlier = "UPDATE login_attempts SET at = at - 301, expires_at = expires_at - 301"
    store._writer.run(lambda db: db.execute(earlier).rowcount)
    await one.withdraw(await one.attempt("ann", "home"))
    await two.attempt("ann", "home")
    await one.attempt("ann", "home")


async def test_a_log_in_through_one_process_frees_the_owner_in_the_others(store: SqliteStore) -> None:
    one, two = LoginAttempts(store, 1), LoginAttempts(store, 1)
    cookie = await one.succeeded(await one.attempt("ann", "home"), "ann", "home")
    for number in range(5):
        await one.attempt("ann", f"elsewhere {number}")
    with pytest.raises(TooManyLogins):
        await two.attempt("ann", "a café")
    await two.attempt("ann", "home")
    await two.attempt("ann", "a café", cookie)


def test_an_email_address_is_stored_in_one_spelling() -> None:
    for email in ("Ann@Example.ORG", " ann@example.org ", "ａｎｎ@example.org", "ann＠example.org"):
        assert checked_email(email) == "ann@example.org"
    assert checked_email("STRASSE@example.org") == checked_email("straße@example.org")


def test_an_account_of_an_older_version_is_found_by_its_original_spelling(store: SqliteStore) -> None:
    person(store, "strasse-older@example.org")
    with store._writer._connection as db:
        db.execute("UPDATE accounts SET email = 'straße@example.org'")
    account_and_hash = asyncio.run(store.people.account_by_email("Straße@example.org"))
    assert account_and_hash is not None
    with pytest.raises(Conflict):
        person(store, "Straße@example.org")


# checking


async def test_concurrent_and_waiting_password_checks_are_limited() -> None:
    checks, release, running = PasswordChecks(), threading.Event(), []

    def work() -> bool:
        running.append(1)
        return release.wait(60)

    waiting = [asyncio.create_task(checks.run("one", work)) for _ in range(MAX_WAITING_PER_NETWORK)]
    await asyncio.to_thread(wait_until, lambda: len(running) == MAX_RUNNING)
    with pytest.raises(LoginsBusy):
        await checks.run("one", work)
    other = asyncio.create_task(checks.run("another", work))
    await asyncio.sleep(0)
    # A caller that disconnects does not free a place for a third check while two still run.
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.sleep(0.1)
    assert len(running) == MAX_RUNNING
    release.set()
    assert await other
    assert len(running) == MAX_RUNNING + 1
    assert await checks.run("one", work)


# passwords that change meanwhile


def test_a_session_is_created_only_for_the_current_password(store: SqliteStore) -> None:
    ann = person(store, "ann@example.org")
    stored = passwords.hash_of(PASSWORD)
    store.people.set_password(ann.account_id, stored)
    store.people.add_session(ann.account_id, digest_of("one"), time_from_now(60), password_hash=stored)
    store.people.set_password(ann.account_id, "$argon2id$another", instead_of=stored)
    with pytest.raises(Conflict):
        store.people.add_session(ann.account_id, digest_of("two"), time_from_now(60), password_hash=stored)
    with pytest.raises(Conflict):
        store.people.set_password(ann.account_id, "$argon2id$third", instead_of=stored)
    store.people.set_disabled(ann.account_id, True)
    with pytest.raises(Conflict):
        store.people.add_session(ann.account_id, digest_of(new_secret()), time_from_now(60))


def test_a_password_change_voids_log_ins_in_progress(start_server: Callable[..., Server]) -> None:
    server = start_server(login_attempts=100)
    ann = person(server.store, "ann@example.org", default="operator")
    wait_until_guarded(server)
    changed = passwords.hash_of("another password")
    body = {"email": "ann@example.org", "password": PASSWORD}
    answers: list[httpx.Response] = []

    def log_in_until_refused() -> None:
        while True:
            answers.append(answer := server.post("/api/v1/login", body))
            if answer.status_code != 200:
                return

    with ThreadPoolExecutor(12) as pool:
        jobs = [pool.submit(log_in_until_refused) for _ in range(12)]
        try:
            wait_until(lambda: answers)
        finally:
            server.store.people.set_password(ann.account_id, changed)
        for job in jobs:
            job.result()
    assert {response.status_code for response in answers} == {200, 401}
    for response in answers:
        if response.status_code == 200:
            token_headers = {"Authorization": f"Bearer {response.json()['token']}"}
            wait_until(
                lambda headers=token_headers: server.get("/api/tasks", headers=headers).status_code == 401,
                message="a session from before the change is still valid",
            )
