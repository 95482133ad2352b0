"""Test the account page: rights, tokens, password."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from signalbox.store.people import Account
from tests.support.log import audits_of
from tests.support.people import PASSWORD, Headers, person, session, token, wait_until_guarded
from tests.support.server import Server


@pytest.fixture(scope="module")
def ann(shared_server: Server) -> Account:
    shared_server.store.create_task("run")
    account = person(shared_server.store, "ann@example.org", default="viewer")
    wait_until_guarded(shared_server)
    return account


@pytest.fixture
def logged_in(server: Server, ann: Account) -> Headers:
    return session(server.store, ann)


def create_token(server: Server, headers: Headers, **form: object) -> httpx.Response:
    given = {"name": "build", "scope": ["read", "emit"], "days": "30", **form}
    return httpx.post(f"{server.url}/account/tokens", data=given, headers=headers)


def test_a_token_is_shown_once_and_has_no_more_rights_than_its_owner(server: Server, logged_in: Headers) -> None:
    made = create_token(server, logged_in)
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    secret = re.findall(r"sbx_[\w-]{43}", made.text)[0]
    program = {"Authorization": f"Bearer {secret}"}
    assert server.get("/api/tasks/run", headers=program).status_code == 200
    assert server.post("/api/tasks/run/events", {"event_type": "log"}, headers=program).status_code == 403
    page = server.get("/account", headers=logged_in).text
    assert "build" in page
    assert secret not in page
    assert server.get("/account", headers=program).status_code == 403
    revoke = re.findall(r"/account/tokens/\w+/revoke", page)[0]
    assert server.post(revoke, headers=logged_in).headers["location"] == "/account"
    assert server.get("/api/tasks/run", headers=program).status_code == 401


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"scope": []}, 400),
        ({"scope": ["everything"]}, 400),
        ({"name": ""}, 400),
        ({"days": "forever"}, 400),
        ({"project_id": "theirs"}, 403),
    ],
)
def test_an_invalid_token_request_is_refused(
    server: Server, logged_in: Headers, form: dict[str, object], status: int
) -> None:
    assert create_token(server, logged_in, **form).status_code == status


def test_a_person_cannot_revoke_the_token_of_another(server: Server, logged_in: Headers) -> None:
    bob = person(server.store, "bob@example.org", default="owner")
    program = token(server.store, "bobs", account_id=bob.account_id)
    page = server.get("/account", headers=session(server.store, bob)).text
    revoke = re.findall(r"/account/tokens/\w+/revoke", page)[0]
    assert server.post(revoke, headers=logged_in).status_code == 404
    assert server.get("/api/tasks", headers=program).status_code == 200


def test_a_new_password_ends_all_other_sessions(server: Server, ann: Account) -> None:
    carl = person(server.store, "carl@example.org", default="viewer")
    here, there = session(server.store, carl), session(server.store, carl)
    url = f"{server.url}/account/password"
    for old, new, words in (("not it", "a longer one", "current password is wrong"), (PASSWORD, "short", "8 to 1024")):
        refused = httpx.post(url, data={"old": old, "new": new}, headers=here, timeout=60)
        assert refused.status_code == 400
        assert words in refused.text
    changed = httpx.post(url, data={"old": PASSWORD, "new": "quite another one"}, headers=here, timeout=60)
    assert changed.headers["location"] == "/login?note=password"
    assert [server.get("/api/tasks", headers=each).status_code for each in (here, there)] == [401, 401]
    form = {"email": "carl@example.org", "password": "quite another one"}
    assert httpx.post(f"{server.url}/login", data=form, timeout=60).status_code == 303


def test_account_changes_are_audited_with_the_account_id(server: Server, ann: Account) -> None:
    dora = person(server.store, "dora@example.org", default="viewer")
    browser = httpx.Client(base_url=server.url, timeout=60)

    def log_in(password: str) -> None:
        browser.post("/login", data={"email": dora.email, "password": password})

    log_in("not it, not at all")
    log_in(PASSWORD)
    page = browser.post("/account/tokens", data={"name": "build", "scope": "read", "days": "30"}).text
    browser.post(re.findall(r"/account/tokens/\w+/revoke", page)[0])
    for old in ("not it", PASSWORD):
        browser.post("/account/password", data={"old": old, "new": "quite another one"})
    log_in("quite another one")
    browser.post("/logout")
    browser.close()
    hers = [audit for audit in reversed(audits_of(server.store)) if audit["actor"] == dora.email]
    assert [audit["action"] for audit in hers] == [
        "log_in_failed",
        "log_in",
        "token_create",
        "token_revoke",
        "password_change_failed",
        "password_change",
        "log_in",
        "log_out",
    ]
    assert {(audit["account_id"], audit["source"]) for audit in hers} == {(dora.account_id, "127.0.0.1")}


def test_without_accounts_there_is_no_account_page(start_server: Callable[..., Server]) -> None:
    server = start_server()
    assert server.get("/account").status_code == 404
