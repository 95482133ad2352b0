"""Test every route with every kind of caller. A route of the app that is missing from `ROUTES` fails a test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
import pytest
from quart import Quart
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from signalbox.store import NewEvent
from signalbox.webapp.app import create_app
from signalbox.webapp.auth.access import check_declared
from signalbox.webapp.http.failed_form import CHOICES, SECRETS
from signalbox.webapp.http.params import MAX_SEQ
from signalbox.webapp.settings import Settings
from tests.support.people import Headers, person, project, revoke, session, token, wait_until_guarded
from tests.support.server import Server

REFUSED = {401, 403}
OTLP_RESOURCE = {"attributes": [{"key": "signalbox.project", "value": {"stringValue": "ours"}}]}
OTLP_TRACES = {
    "resourceSpans": [
        {"resource": OTLP_RESOURCE, "scopeSpans": [{"spans": [{"traceId": "1" * 32, "spanId": "2" * 16, "name": "a"}]}]}
    ]
}
OTLP_LOGS = {"resourceLogs": [{"resource": OTLP_RESOURCE, "scopeLogs": [{"logRecords": [{"traceId": "1" * 32}]}]}]}
TASK = {
    "token_id": "t1",
    "task_id": "run",
    "session_id": "run",
    "project_id": "ours",
    "run_id": "run",
    "request_id": "r1",
    "tool_name": "rm",
    "seq": "1",
    "span_id": "s1",
    "checkpoint_id": "c1",
    "view_id": "1",
    "action": "archive",
    "change": "disable",
    "account_id": "nobody",
    "secret": "unknown",
    "phase": "executing",
    "kind": "build",
    "agent": "claude-code",
}


HOOK = {"hook_event_name": "SessionStart", "session_id": "s1", "source": "startup"}


@dataclass(frozen=True)
class Route:
    """The right that a route requires, stated here independently of the code.

    `read`, `emit`, `respond`, `admin`: this right in the task's project. `save`: the right to respond in any project.
    `some`: any known caller, because the response shows only the caller's own data. `self`: a logged-in person.
    `all`: the right to read all projects. `nothing`: no right. A `page` redirects unknown callers to the log-in page.
    """

    need: str
    page: bool = False
    body: Any = None
    form: dict[str, str] | None = None
    query: str = ""


def page(need: str, **fields: Any) -> Route:
    return Route(need, page=True, **fields)


AGUI = {"threadId": "run", "runId": "1", "messages": []}

ROUTES: dict[str, Route] = {
    "GET /": page("some"),
    "GET /tasks": page("some"),
    "GET /live/tasks": Route("some"),
    "GET /permissions": page("some"),
    "GET /kinds": page("some"),
    "GET /search": page("some"),
    "GET /api/search": Route("some", query="?q=needle"),
    "GET /kinds/<name:kind>": page("some"),
    "GET /api/kinds": Route("some"),
    "GET /api/kinds/<name:kind>": Route("some"),
    "GET /live/permissions": Route("some"),
    "GET /audits": page("some"),
    "GET /help": page("some"),
    "GET /help/docs/<name:name>": page("some"),
    "GET /password/<secret>": Route("nothing"),
    "POST /password/<secret>": Route("nothing", form={"password": "a", "repeated": "b"}),
    "GET /admin": page("manage some"),
    "GET /admin/projects": page("manage some"),
    "POST /admin/projects": page("administer", form={"project_id": "ours"}),
    "GET /admin/projects/<project_id>": page("manage"),
    "POST /admin/projects/<project_id>/members": page("manage", form={"email": "nobody@example.org", "role": "viewer"}),
    "POST /admin/projects/<project_id>/remove": page("administer", form={}),
    "GET /admin/accounts": page("administer"),
    "POST /admin/accounts": page("administer", form={"email": "viewer@example.org"}),
    "POST /admin/accounts/<account_id>/<any(link, disable, enable, remove):change>": page("administer", form={}),
    "GET /admin/tokens": page("administer"),
    "POST /admin/tokens": page("administer", form={"name": "build", "scope": "read"}),
    "POST /admin/tokens/<token_id>/quota": page("administer", form={"events_per_minute": "100"}),
    "POST /admin/tokens/<token_id>/revoke": page("administer", form={}),
    "GET /admin/agents": page("administer"),
    "GET /admin/space": page("administer"),
    "GET /api/space": Route("administer"),
    "GET /admin/settings": page("administer"),
    "GET /admin/health": page("administer"),
    "POST /time-zone": Route("nothing", form={}),
    "GET /compare": page("read", query="?a=run&b=run"),
    "GET /watch": page("read", query="?task=run&task=other"),
    "GET /demo": page("read", query="?task=run"),
    "GET /tasks/<task_id>": page("read"),
    "GET /tasks/<task_id>/stream": Route("read"),
    "GET /tasks/<task_id>/frame": Route("read"),
    "GET /tasks/<task_id>/log": page("read"),
    "GET /tasks/<task_id>/events/<int:seq>": page("read"),
    "GET /tasks/<task_id>/events/<int:seq>/payload": page("read"),
    "GET /tasks/<task_id>/events/<int:seq>/details": page("read"),
    "GET /tasks/<task_id>/raw": page("read"),
    "GET /tasks/<task_id>/export.html": page("read"),
    "GET /tasks/<task_id>/export.ndjson": page("read"),
    "GET /tasks/<task_id>/spans.csv": page("read"),
    "GET /tasks/<task_id>/spans": page("read"),
    "GET /tasks/<task_id>/spans/<name:span_id>": page("read"),
    "GET /tasks/<task_id>/checkpoints/<name:checkpoint_id>": page("read"),
    "GET /tasks/<task_id>/timeline": page("read"),
    "GET /tasks/<task_id>/waterfall": page("read"),
    "GET /tasks/<task_id>/artifacts": page("read"),
    f"GET /tasks/<task_id>/artifacts/<int(max={MAX_SEQ}):seq>": page("read"),
    f"GET /tasks/<task_id>/artifacts/<int(max={MAX_SEQ}):seq>/raw": page("read"),
    "GET /api/tasks/<task_id>/artifacts": Route("read"),
    "POST /api/tasks/<task_id>/artifacts": Route("emit", query="?name=a"),
    f"GET /api/tasks/<task_id>/artifacts/<int(max={MAX_SEQ}):seq>/content": Route("read"),
    "GET /tasks/<task_id>/conversation": page("read"),
    "GET /tasks/<task_id>/conversation/<int:seq>": page("read"),
    "GET /tasks/<task_id>/flame": page("read"),
    "GET /tasks/<task_id>/audits": page("read"),
    "GET /tasks/<task_id>/permissions/<name:request_id>": page("read"),
    "POST /tasks/<task_id>/permissions/<name:request_id>": page("respond", form={"decision": "approve"}),
    "POST /tasks/<task_id>/cancel": page("respond", form={}),
    "POST /tasks/<task_id>/messages": page("respond", form={"text": "hello"}),
    "POST /tasks/<task_id>/allowances/revoke": page("respond", form={}),
    "POST /tasks/<task_id>/retry": page("respond", form={}),
    "GET /tasks/<task_id>/hold": page("read"),
    "POST /tasks/<task_id>/hold": page("respond", form={"reason": "kept"}),
    "POST /tasks/<task_id>/tags": page("respond", form={"tag": "a=b"}),
    "GET /selection": page("some"),
    "POST /selection": page("some", form={"do": "delete"}),
    "POST /selection/<any(archive, restore, cancel, retry, delete):action>": page("some", form={}),
    "POST /log-reading": page("some", form={"wrap": "1"}),
    "POST /views": page("save", form={"name": "mine"}),
    f"POST /views/<int(max={MAX_SEQ}):view_id>/delete": page("save", form={}),
    "GET /account": page("self"),
    "POST /account/password": page("self", form={"old": "wrong", "new": "wrong"}),
    "POST /account/tokens": page("self", form={"name": "mine", "scope": "read"}),
    "POST /account/tokens/<token_id>/revoke": page("self", form={}),
    "GET /login": Route("nothing"),
    "POST /login": Route("nothing", form={"email": "", "password": ""}),
    "POST /logout": Route("nothing", form={}),
    "GET /static/<path:path>": Route("nothing"),
    "GET /api/tasks": Route("some"),
    "POST /api/tasks": Route("emit", body={"task_id": "run", "project_id": "ours"}),
    "GET /api/tasks/<task_id>": Route("read"),
    "GET /api/tasks/<task_id>/events": Route("read"),
    "POST /api/tasks/<task_id>/events": Route("emit", body={"event_type": "log"}),
    "GET /api/tasks/<task_id>/events/latest": Route("read"),
    "GET /api/tasks/<task_id>/events/snapshot": Route("read"),
    "GET /api/tasks/<task_id>/events/phase/<name:phase>": Route("read"),
    "GET /api/tasks/<task_id>/graph": Route("read"),
    "GET /api/tasks/<task_id>/outcome": Route("read"),
    "GET /api/tasks/<task_id>/checkpoints": Route("read"),
    "GET /api/tasks/<task_id>/permissions": Route("read"),
    "POST /api/tasks/<task_id>/permissions/<name:request_id>": Route("respond", body={"approved": True}),
    "DELETE /api/tasks/<task_id>/allowances/<name:tool_name>": Route("respond"),
    "GET /api/tasks/<task_id>/messages": Route("read"),
    "POST /api/tasks/<task_id>/messages": Route("respond", body={"text": "hello"}),
    "POST /api/tasks/<task_id>/cancel": Route("respond", body={}),
    "POST /api/tasks/<task_id>/retries": Route("respond", body={"retry": "again"}),
    "POST /api/tasks/<task_id>/tags": Route("respond", body={"tags": {"a": "b"}}),
    "PUT /api/tasks/<task_id>/unfinished": Route("emit", body=[]),
    "POST /api/tasks/<task_id>/archive": Route("respond"),
    "PUT /api/tasks/<task_id>/hold": Route("respond", body={"reason": "kept"}),
    "DELETE /api/tasks/<task_id>/hold": Route("respond"),
    "PUT /api/tasks/<task_id>/cold": Route("admin"),
    "DELETE /api/tasks/<task_id>/cold": Route("admin"),
    "GET /api/tasks/<task_id>/heads": Route("read"),
    "POST /api/tasks/<task_id>/erasures": Route("admin", body={"seqs": [1], "reason": "asked for"}),
    "DELETE /api/tasks/<task_id>/archive": Route("respond"),
    "DELETE /api/tasks/<task_id>": Route("admin"),
    "POST /api/hooks/<agent>": Route("emit", query="?project=ours", body=HOOK),
    "POST /api/hooks/<agent>/test": Route("emit", query="?project=ours", body=HOOK),
    "POST /mcp": Route("some", body={"jsonrpc": "2.0", "id": 1, "method": "ping"}),
    "GET /api/wait": Route("read", query="?task=run&timeout=0"),
    "GET /api/events/health": Route("nothing"),
    "GET /api/openapi.json": Route("some"),
    "GET /api/sse/events/<session_id>": Route("read"),
    "POST /api/sse/permission-response/<session_id>": Route("respond", body={"approved": True}),
    "GET /api/sse/health/<session_id>": Route("read"),
    "POST /api/v1/login": Route("nothing", body={"email": "", "password": ""}),
    "POST /api/v1/logout": Route("some"),
    "GET /api/agui/runs/<task_id>": Route("read"),
    "POST /api/agui/runs/<task_id>": Route("read", body=AGUI),
    "POST /api/agui/projects/<project_id>": Route("respond", body=AGUI),
    "GET /api/v1/projects": Route("some"),
    "GET /api/v1/projects/<project_id>": Route("read"),
    "GET /api/v1/projects/<project_id>/agent/runs": Route("read"),
    "POST /api/v1/projects/<project_id>/agent/runs": Route("respond"),
    "GET /api/v1/projects/<project_id>/agent/runs/<run_id>": Route("read"),
    "GET /api/v1/projects/<project_id>/agent/runs/<run_id>/stream": Route("read"),
    "POST /api/v1/projects/<project_id>/agent/runs/<run_id>/cancel": Route("respond"),
    "POST /v1/traces": Route("emit", body=OTLP_TRACES),
    "POST /v1/logs": Route("emit", body=OTLP_LOGS),
    "GET /sse/tasks/<task_id>/events": Route("read"),
    "GET /sse/events": Route("read", query="?task=run"),
    "GET /sse/health": Route("nothing"),
    "GET /healthz": Route("nothing"),
    "GET /readyz": Route("nothing"),
    "GET /metrics": Route("all"),
    "WEBSOCKET /ws/tasks/<task_id>/events": Route("read"),
}

MANAGE = ("manage some", "manage", "administer")

MAY: dict[str, set[str]] = {
    "nobody": {"nothing"},
    "expired session": {"nothing"},
    "expired token": {"nothing"},
    "revoked token": {"nothing"},
    "a member of another project": {"nothing", "some", "save", "self", "manage some"},
    "a token of another project": {"nothing", "some", "save", "manage some"},
    "a token that may only emit": {"nothing", "emit"},
    "viewer": {"nothing", "some", "self", "read"},
    "operator": {"nothing", "some", "self", "read", "emit", "respond", "save"},
    "owner": {"nothing", "some", "self", "read", "emit", "respond", "save", "admin", "manage some", "manage"},
    "a token of an operator": {"nothing", "some", "read", "emit", "respond", "save"},
    "administrator": {"nothing", "some", "self", "read", "emit", "respond", "save", "admin", "all", *MANAGE},
}
"""The rights of each caller in the task's project."""

UNKNOWN = ("nobody", "expired session", "expired token", "revoked token")


@pytest.fixture(scope="module")
def callers(shared_server: Server) -> dict[str, Headers]:
    """Create a task in the project `ours`, and return the headers of each caller."""
    store = shared_server.store
    for name in ("ours", "theirs"):
        project(store, name)
    store.create_task("run", kind="build", project_id="ours")
    request = {"request_id": "r1", "tool_name": "deploy"}
    shared_server.emit("run", "hello", NewEvent(event_type="phase_enter", phase="executing", span_id="s1"))
    shared_server.emit("run", NewEvent(event_type="permission_request", payload=request))
    shared_server.emit("run", NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": "c1"}))
    operator = person(store, "operator@example.org", ours="operator")
    token(store, "revoked")
    revoke(store, "revoked")
    headers = {
        "nobody": {},
        "expired session": session(store, operator, seconds=-1),
        "expired token": token(store, "expired", seconds=-1),
        "revoked token": {"Authorization": "Bearer revoked"},
        "a member of another project": session(store, person(store, "else@example.org", theirs="owner")),
        "a token of another project": token(store, "theirs", project_id="theirs"),
        "a token that may only emit": token(store, "emitter", project_id="ours", scopes=("emit",)),
        "viewer": session(store, person(store, "viewer@example.org", ours="viewer")),
        "operator": session(store, operator),
        "owner": session(store, person(store, "owner@example.org", ours="owner")),
        "a token of an operator": token(store, "operator's", account_id=operator.account_id),
        "administrator": session(store, person(store, "admin@example.org", admin=True)),
    }
    wait_until_guarded(shared_server)
    return headers


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """Return a client without cookies, so that no caller's cookie is sent with the next request."""
    with httpx.Client(cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[]))) as http_client:
        yield http_client


def rules() -> set[str]:
    rules_of_app = set()
    for rule in create_app(Settings()).url_map.iter_rules():
        methods = {"WEBSOCKET"} if rule.websocket else (rule.methods or set()) - {"HEAD", "OPTIONS"}
        rules_of_app |= {f"{method} {rule.rule}" for method in methods}
    return rules_of_app


def test_every_route_is_listed() -> None:
    assert rules() == set(ROUTES)


def test_a_route_without_a_declared_right_stops_the_app() -> None:
    app = Quart("forgetful")

    @app.get("/secrets")
    async def secrets() -> str:
        return "all of them"

    with pytest.raises(RuntimeError, match="/secrets"):
        check_declared(app)


def address(rule: str, route: Route) -> str:
    path = rule.partition(" ")[2]
    return re.sub(r"<(?:[^:>]*:)?([^>]*)>", lambda part: TASK.get(part[1], "css/app.css"), path) + route.query


def status(client: httpx.Client, server: Server, rule: str, route: Route, headers: Headers) -> int:
    """Return the status of the response. The body is not read, because a stream never ends."""
    method = rule.partition(" ")[0]
    if method == "WEBSOCKET":
        return socket_status(server, address(rule, route), headers)
    accept = {"Accept": "text/html" if route.page else "*/*"}
    url = server.url + address(rule, route)
    with client.stream(method, url, headers=headers | accept, json=route.body, data=route.form) as response:
        return response.status_code


def socket_status(server: Server, path: str, headers: Headers) -> int:
    with connect(server.url.replace("http", "ws") + path, additional_headers=headers, close_timeout=0.2) as socket:
        try:
            socket.recv(60)
            return 200
        except ConnectionClosed:
            return (socket.close_code or 0) - 4000


@pytest.mark.parametrize("rule", ROUTES)
def test_each_caller_can_use_exactly_the_routes_it_has_rights_to(
    client: httpx.Client, server: Server, callers: dict[str, Headers], rule: str
) -> None:
    route = ROUTES[rule]
    for caller, headers in callers.items():
        if rule.endswith("/logout") and "Cookie" in headers:
            continue  # Logging out works, but would end the session that the next tests need.
        code = status(client, server, rule, route, headers)
        if route.need in MAY[caller]:
            wrong_password = rule.endswith(("/login", "/password")) and code in (400, 401, 429)
            assert code < 400 or code in (404, 409) or wrong_password, f"{caller} has the right, but got {code}"
        elif caller not in UNKNOWN:
            assert code == 403, f"{caller} lacks the right and should get 403, but got {code}"
        else:
            typed = set(route.form or {}) - CHOICES - SECRETS  # the page keeps what was typed, and links to the log-in
            assert code == (303 if route.page and not typed else 401), (
                f"{caller} is unknown and should be asked to log in, but got {code}"
            )


@pytest.mark.parametrize("rule", [rule for rule, route in ROUTES.items() if "_id>" in rule or "run" in route.query])
def test_a_missing_resource_is_404_for_known_callers(
    client: httpx.Client, server: Server, callers: dict[str, Headers], rule: str
) -> None:
    if rule == "POST /api/tasks/<task_id>/events":
        return
    other = Route(**{**vars(ROUTES[rule]), "query": ROUTES[rule].query.replace("run", "no-such-run")})
    missing = re.sub("<(task|session|project|run)_id>", "no-such-run", rule)
    for caller in ("viewer", "operator", "administrator"):
        if ROUTES[rule].need in MAY[caller]:
            assert status(client, server, missing, other, callers[caller]) == 404, caller
    assert status(client, server, missing, other, {}) in (401, 303)
