"""The administration pages: a person gets an account, a role and a token without a terminal."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import httpx
import pytest

from signalbox.store.people import Account
from tests.support.log import audits_of
from tests.support.people import Headers, person, project, session, wait_until_guarded
from tests.support.rendering import main
from tests.support.server import Server

PASSWORD = "a long enough one"


@pytest.fixture(scope="module")
def root(shared_server: Server) -> Account:
    store = shared_server.store
    project(store, "web")
    account = person(store, "root@example.org", admin=True)
    wait_until_guarded(shared_server)
    return account


@pytest.fixture
def admin(server: Server, root: Account) -> Headers:
    return session(server.store, root)


def post(server: Server, path: str, fields: dict[str, str], headers: Headers | None = None) -> httpx.Response:
    return httpx.post(f"{server.url}{path}", data=fields, headers={"Accept": "text/html", **(headers or {})})


def link_in(response: httpx.Response) -> str:
    (found,) = set(re.findall(r"/password/[\w-]{43}", response.text))
    return found


def accept(server: Server, link: str, password: str = PASSWORD, repeated: str | None = None) -> httpx.Response:
    return post(server, link, {"password": password, "repeated": password if repeated is None else repeated})


def test_a_colleague_is_added_without_a_terminal(server: Server, admin: Headers) -> None:
    fields = {"email": "Bob@Example.org", "project_id": "web", "role": "operator"}
    invited = post(server, "/admin/accounts", fields, admin)
    assert (invited.status_code, invited.headers["cache-control"]) == (201, "no-store")
    link = link_in(invited)
    assert f"{server.url}{link}" in invited.text
    assert link not in server.get("/admin/accounts", headers=admin).text
    welcome = server.get(link)
    assert "bob@example.org" in welcome.text
    differs = accept(server, link, repeated="another")
    assert (differs.status_code, "two passwords differ" in differs.text) == (400, True)
    assert accept(server, link, "short").status_code == 400
    done = accept(server, link)
    assert (done.status_code, done.headers["location"]) == (303, "/tasks")
    cookie = {"Cookie": done.headers["set-cookie"].partition(";")[0]}
    assert "operator in" in server.get("/account", headers=cookie).text
    used = accept(server, link)
    assert (used.status_code, "was used already" in used.text) == (404, True)
    assert post(server, "/login", {"email": "bob@example.org", "password": PASSWORD}).status_code == 303
    acts = [(one["actor"], one["action"]) for one in audits_of(server.store)]
    assert ("bob@example.org", "invitation_accept") in acts
    assert ("root@example.org", "user_invite") in acts


def test_the_store_has_no_secret_of_a_link(server: Server, admin: Headers) -> None:
    link = link_in(post(server, "/admin/accounts", {"email": "secret@example.org", "admin": "1"}, admin))
    secret = link.removeprefix("/password/")
    stored = b"".join(file.read_bytes() for file in server.path.parent.glob(f"{server.path.name}*"))
    assert secret.encode() not in stored


def test_a_reset_replaces_the_password_and_ends_sessions(server: Server, admin: Headers) -> None:
    ann = person(server.store, "reset@example.org", web="viewer")
    before = session(server.store, ann)
    reset = post(server, f"/admin/accounts/{ann.account_id}/link", {}, admin)
    assert "Link for a new password of reset@example.org" in " ".join(main(reset.text).text.split())
    assert server.get("/account", headers=before).status_code == 200
    assert accept(server, link_in(reset)).status_code == 303
    assert server.get("/account", headers=before).status_code == 401
    assert post(server, "/login", {"email": "reset@example.org", "password": PASSWORD}).status_code == 303


def test_disabled_and_removed_accounts_cannot_log_in(server: Server, admin: Headers, root: Account) -> None:
    ann = person(server.store, "leaving@example.org", web="viewer")
    headers, path = session(server.store, ann), f"/admin/accounts/{ann.account_id}"
    assert post(server, f"{path}/disable", {}, admin).status_code == 303
    assert server.get("/account", headers=headers).status_code == 401
    assert post(server, f"{path}/link", {}, admin).status_code == 409
    assert post(server, f"{path}/enable", {}, admin).status_code == 303
    assert post(server, f"{path}/remove", {}, admin).status_code == 303
    assert post(server, f"{path}/disable", {}, admin).status_code == 404
    mine = post(server, f"/admin/accounts/{root.account_id}/remove", {}, admin)
    assert (mine.status_code, "cannot remove your own account" in mine.text) == (409, True)


def test_an_owner_manages_the_members_of_their_project_only(server: Server, admin: Headers) -> None:
    project(server.store, "shop")
    owner = session(server.store, person(server.store, "owner@example.org", shop="owner"))
    person(server.store, "member@example.org")
    page = server.get("/admin/projects", headers=owner).text
    assert "/admin/projects/shop" in page
    assert "/admin/projects/web" not in page
    members = "/admin/projects/shop/members"
    assert post(server, members, {"email": "Member@example.org", "role": "viewer"}, owner).status_code == 303
    assert "member@example.org" in server.get("/admin/projects/shop", headers=owner).text
    assert post(server, members, {"email": "member@example.org", "role": "king"}, owner).status_code == 400
    unknown = post(server, members, {"email": "stranger@example.org", "role": "viewer"}, owner)
    assert (unknown.status_code, 'value="stranger@example.org"' in unknown.text) == (404, True)
    assert post(server, members, {"email": "member@example.org", "role": "none"}, owner).status_code == 303
    assert (
        post(server, "/admin/projects/web/members", {"email": "owner@example.org", "role": "owner"}, owner).status_code
        == 403
    )
    assert server.get("/admin/accounts", headers=owner).status_code == 403
    log = server.get("/audits", headers=admin).text
    assert "made <b>member@example.org</b> <b>viewer</b> of <b>shop</b>" in log
    assert "removed <b>member@example.org</b> from the project <b>shop</b>" in log


def test_projects_are_created_and_removed(server: Server, admin: Headers) -> None:
    assert post(server, "/admin/projects", {"project_id": "temp", "name": "Temporary"}, admin).status_code == 303
    again = post(server, "/admin/projects", {"project_id": "temp", "name": "Kept text"}, admin)
    assert (again.status_code, "Kept text" in again.text) == (409, True)
    assert post(server, "/admin/projects", {"project_id": "Not an id"}, admin).status_code == 400
    assert post(server, "/admin/projects/temp/remove", {}, admin).status_code == 303
    assert server.get("/admin/projects/temp", headers=admin).status_code == 404
    assert post(server, "/admin/projects/default/remove", {}, admin).status_code == 409


def test_a_token_of_a_program_is_created_and_revoked(server: Server, admin: Headers) -> None:
    fields = {"name": "ci", "scope": "read", "project_id": "web", "days": "30"}
    made = post(server, "/admin/tokens", fields, admin)
    (secret,) = set(re.findall(r"sbx_[\w-]{43}", made.text))
    bearer = {"Authorization": f"Bearer {secret}"}
    assert server.get("/api/tasks", headers=bearer).status_code == 200
    assert secret not in server.get("/admin/tokens", headers=admin).text
    (revoke,) = re.findall(r"/admin/tokens/\w+/revoke", server.get("/admin/tokens", headers=admin).text)
    assert post(server, revoke, {}, admin).status_code == 303
    assert server.get("/api/tasks", headers=bearer).status_code == 401
    refused = post(server, "/admin/tokens", {"name": "none", "days": "30"}, admin)
    assert (refused.status_code, "was not created" in refused.text) == (400, True)


def test_agents_settings_and_health_are_shown_without_secrets(start_server: Callable[..., Server]) -> None:
    server = start_server(stale_after=77.0)
    agent = {"kind": "command", "argv": ["make", "--token", "hunter2"], "env": {"KEY": "hunter3"}, "time_limit": 60}
    server.store.people.add_project("app", "App", agent=agent)
    agents = server.get("/admin/agents").text
    assert "make --token" in agents
    assert "KEY" in agents
    assert "hunter" not in agents + server.get("/admin/projects/app").text
    settings = " ".join(main(server.get("/admin/settings").text).text.split())
    assert re.search(r"stale_after ?77.0 ?changed", settings)
    assert "SIGNALBOX_STALE_AFTER" in settings
    assert "No problems. This server serves everything." in server.get("/admin/health").text


def test_the_first_administrator_turns_the_log_in_on(start_server: Callable[..., Server]) -> None:
    server = start_server()
    assert "Log-in is off" in server.get("/admin/accounts").text
    assert post(server, "/admin/tokens", {"name": "x", "scope": "read"}).status_code == 409
    first = post(server, "/admin/accounts", {"email": "first@example.org"})
    assert first.status_code == 303
    assert server.get("/tasks", headers={"Accept": "text/html"}).status_code == 303
    done = accept(server, first.headers["location"])
    cookie = {"Cookie": done.headers["set-cookie"].partition(";")[0]}
    assert server.get("/admin/accounts", headers=cookie).status_code == 200


def test_the_audit_log_is_filtered_by_person_action_project_and_day(server: Server, admin: Headers) -> None:
    store = server.store
    store.create_task("audited", project_id="web", title="deploy web")
    for actor, action in (("ada", "task_archived"), ("eve", "task_archived"), ("ada", "task_restored")):
        store.audit(actor, action, task_id="audited")
    found = server.get("/audits?person=ada&action=task_archived", headers=admin)
    says = " ".join(main(found.text).text.split())
    assert "ada archived deploy web" in says
    assert "eve" not in says.partition("Show all")[2]
    assert "ada restored" in server.get("/audits?person=ada&project=web", headers=admin).text.replace(
        "</b>", ""
    ).replace("<b>", "")
    assert "No actions match" in server.get("/audits?person=ada&until=2001-01-01", headers=admin).text
    assert "No actions match" in server.get("/audits?since=2100-01-01&zone=Asia/Tokyo", headers=admin).text
    assert server.get("/audits?since=soon", headers=admin).status_code == 400
    assert server.get("/audits?zone=Mars/Base&since=2026-01-01", headers=admin).status_code == 400


def test_older_audits_have_the_same_days_in_the_form(server: Server, admin: Headers) -> None:
    for _ in range(120):
        server.store.audit("ada", "looked")
    address = "/audits?person=ada&since=2026-01-01&until=2100-02-03&zone=Asia/Tokyo"
    for page in range(2):
        text = server.get(address, headers=admin).text
        for name, day in (("since", "2026-01-01"), ("until", "2100-02-03")):
            assert f'<input name="{name}" type="date" value="{day}">' in text, page
        older = re.search(r'rel="next" href="([^"]+)"', text)
        address = html.unescape(older[1]) if older else ""
    assert not address
