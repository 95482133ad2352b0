"""Test logging in and out with a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from signalbox.store.people import Account
from signalbox.webapp.settings import InvalidSetting, Settings
from tests.support.log import audits_of
from tests.support.people import PASSWORD, person, session, wait_until_guarded
from tests.support.quick_passwords import REAL_DUMMY_HASH, REAL_HASHER
from tests.support.server import Server
from tests.support.sse import open_stream

BROWSER = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
COOKIE = "signalbox_session"


@pytest.fixture(scope="module")
def ann(shared_server: Server) -> Account:
    shared_server.store.create_task("run")
    account = person(shared_server.store, "ann@example.org", default="operator")
    wait_until_guarded(shared_server)
    return account


def log_in(server: Server, email: str = "ann@example.org", password: str = PASSWORD, **options: Any) -> httpx.Response:
    form = {"email": email, "password": password, **options.pop("form", {})}
    return httpx.post(f"{server.url}/login", data=form, timeout=60, **options)


def audits(server: Server) -> list[tuple[str, str, str]]:
    return [(audit["action"], audit["actor"], audit["source"]) for audit in audits_of(server.store)]


def test_a_page_redirects_to_the_log_in_page_and_back(server: Server, ann: Account) -> None:
    refused = server.get("/tasks/run?at=1", headers=BROWSER)
    assert (refused.status_code, refused.headers["location"]) == (303, "/login?next=/tasks/run%3Fat%3D1")
    with httpx.Client(base_url=server.url, headers=BROWSER, timeout=60) as browser:
        form = browser.get(refused.headers["location"])
        assert 'name="next" value="/tasks/run?at=1"' in form.text
        entered = browser.post(
            "/login", data={"email": "Ann@Example.org", "password": PASSWORD, "next": "/tasks/run?at=1"}
        )
        assert (entered.status_code, entered.headers["location"]) == (303, "/tasks/run?at=1")
        page = browser.get("/tasks")
        assert (page.status_code, page.headers["cache-control"]) == (200, "private, no-store")
        assert "ann@example.org" in page.text
        assert browser.get("/login?next=/permissions").headers["location"] == "/permissions"
        logout = browser.post("/logout")
        assert (logout.status_code, logout.headers["location"]) == (303, "/login?note=out")
        assert browser.get("/tasks").status_code == 303
    assert ("log_in", "ann@example.org", "127.0.0.1") in audits(server)
    assert ("log_out", "ann@example.org", "127.0.0.1") in audits(server)


def test_browsers_do_not_store_pages_of_a_logged_in_person(server: Server, ann: Account) -> None:
    logged_in = session(server.store, ann)
    paths = [
        "/tasks",
        "/tasks/run",
        "/tasks/run/log",
        "/tasks/run/raw",
        "/tasks/run/export.ndjson",
        "/permissions",
        "/account",
    ]
    paths += [
        "/tasks/run/frame?cursor=0",
        "/tasks/nowhere",
        "/api/tasks",
        "/api/tasks/run/events",
        "/compare?a=run&b=run",
    ]
    for path in paths:
        assert "no-store" in server.get(path, headers=logged_in).headers["cache-control"], path
    # The log-in page is not stored either.
    assert "no-store" in server.get("/login").headers["cache-control"]


def test_an_open_server_lets_browsers_cache_pages(start_server: Callable[..., Server]) -> None:
    assert start_server().get("/tasks").headers["cache-control"] == "no-cache"


def test_the_cookie_is_limited_to_this_server(server: Server, ann: Account) -> None:
    cookie = log_in(server).headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


def test_behind_tls_the_cookie_is_bound_to_the_host(start_server: Callable[..., Server]) -> None:
    server = start_server(trusted_proxies="127.0.0.1")
    person(server.store, "ann@example.org", default="viewer")
    wait_until_guarded(server)
    proxied = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    cookie = log_in(server, headers=proxied).headers["set-cookie"]
    assert cookie.startswith(f"__Host-{COOKIE}=")
    assert "Secure" in cookie.split("; ")
    logged_in = {"Cookie": cookie.partition(";")[0]}
    assert server.get("/api/tasks", headers=logged_in | proxied).status_code == 200
    assert server.get("/api/tasks", headers=logged_in).status_code == 401
    assert audits(server)[0] == ("log_in", "ann@example.org", "192.0.2.7")


def test_forwarded_headers_are_trusted_only_from_a_proxy(server: Server, ann: Account) -> None:
    cookie = log_in(server, headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"})
    assert "Secure" not in cookie.headers["set-cookie"]
    assert audits(server)[0] == ("log_in", "ann@example.org", "127.0.0.1")


@pytest.mark.parametrize("proxies", ["nginx", "10.0.0.0/8, *", "10.0.0.0/99"])
def test_a_trusted_proxy_is_given_by_its_address(proxies: str) -> None:
    with pytest.raises(InvalidSetting, match="trusted_proxies"):
        Settings(trusted_proxies=proxies)


def test_a_wrong_address_and_a_wrong_password_get_the_same_message(server: Server, ann: Account) -> None:
    unknown = log_in(server, "eve@example.org", form={"next": "/permissions"})
    wrong_password = log_in(server, password="not it, not at all", form={"next": "/permissions"})
    assert unknown.status_code == wrong_password.status_code == 401
    assert unknown.text == wrong_password.text.replace("ann@example.org", "eve@example.org")
    assert 'value="/permissions"' in wrong_password.text
    assert "set-cookie" not in wrong_password.headers
    assert [who for act, who, _ in audits(server)[:2] if act == "log_in_failed"] == ["ann@example.org", "nobody"]


@pytest.mark.parametrize("onward", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example"])
def test_the_log_in_page_never_redirects_to_another_server(server: Server, ann: Account, onward: str) -> None:
    assert log_in(server, form={"next": onward}).headers["location"] == "/tasks"


def test_password_guessing_is_slowed_down(start_server: Callable[..., Server]) -> None:
    server = start_server(login_attempts=1)
    for name in ("ann", "bob"):
        person(server.store, f"{name}@example.org")
    wait_until_guarded(server)
    assert [log_in(server, password=guess).status_code for guess in ("a guess of mine", PASSWORD)] == [401, 429]
    late = log_in(server)
    assert 0 < int(late.headers["retry-after"]) <= 300
    assert "Too many" in late.text
    assert log_in(server, "bob@example.org").status_code == 303
    assert [log_in(server, f"{number}@example.org").status_code for number in range(5)] == [401, 401, 401, 401, 429]


def test_a_disabled_account_cannot_log_in_and_is_logged_out(server: Server, ann: Account) -> None:
    bob = person(server.store, "bob@example.org", default="viewer")
    logged_in = session(server.store, bob)
    assert server.get("/api/tasks", headers=logged_in).status_code == 200
    with open_stream(f"{server.url}/sse/tasks/run/events", headers=logged_in) as stream:
        server.store.people.set_disabled(bob.account_id, True)
        assert list(stream)[-1].json == {"reason": "rights"}
    assert server.get("/api/tasks", headers=logged_in).status_code == 401
    assert log_in(server, "bob@example.org").status_code == 401


def test_streams_frames_and_scripts_are_never_redirected_to_a_page(server: Server, ann: Account) -> None:
    html = {"Accept": "text/html"}
    for headers in ({}, html | {"HX-Request": "true"}, html | {"Sec-Fetch-Mode": "cors"}):
        for path in ("/tasks/run/frame", "/live/tasks", "/tasks/run/log?part=rows"):
            response = server.get(path, headers=headers)
            assert response.status_code == 401, (path, headers)
            assert "Bearer" in response.headers["www-authenticate"]
    stream = server.get("/tasks/run/stream", headers={"Accept": "text/event-stream, text/html"})
    assert (stream.status_code, stream.json()["error"]["code"]) == (401, "not_logged_in")


def test_an_unknown_address_takes_as_long_as_a_known_one() -> None:
    assert not REAL_HASHER.check_needs_rehash(REAL_DUMMY_HASH)


@pytest.mark.long
def test_a_hash_takes_64_mib_and_three_passes() -> None:
    assert (REAL_HASHER.memory_cost, REAL_HASHER.time_cost) == (64 * 1024, 3)
    assert REAL_HASHER.verify(REAL_HASHER.hash("a password"), "a password")


def test_a_form_on_another_site_cannot_log_in(server: Server, ann: Account) -> None:
    response = log_in(server, headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 403


def test_the_health_check_tells_unknown_callers_nothing_more(server: Server, ann: Account) -> None:
    assert set(server.get("/sse/health").json()) == {
        "status",
        "service",
        "version",
        "protocol",
        "problems",
        "warnings",
    }
    assert "streams" in server.get("/sse/health", headers=session(server.store, ann)).json()
