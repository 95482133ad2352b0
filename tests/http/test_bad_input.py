"""Invalid input to pages, forms and headers: errors name the invalid part, and no request fails with 500."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.json_density import check_density
from tests.support.example_run import fill
from tests.support.log import log_of
from tests.support.plain_client import PlainClient
from tests.support.server import Server

PAGES = {
    "/tasks": "status q kind project created_since created_until stale archived sort cursor limit",
    "/live/tasks": "status q sort cursor limit since epoch shown lastEventId",
    "/permissions": "task after",
    "/live/permissions": "task after since epoch lastEventId",
    "/audits": "before",
    "/tasks/run/audits": "before",
    "/compare?a=run&b=run": "show part since",
    "/compare": "a b",
    "/demo": "task",
    "/tasks/run": "at",
    "/tasks/run/stream": "since epoch shown lastEventId",
    "/tasks/run/frame": "since",
    "/tasks/run/log": "q type phase actor level stream span failed at part",
    "/tasks/run/log?part=frames": "before after around heartbeats failure_after",
    "/tasks/run/spans": "at after row q kind state sort parent part since epoch",
    "/tasks/run/spans/s1": "at after part",
    "/tasks/run/checkpoints/c1": "at part",
    "/tasks/run/timeline": "at part",
    "/tasks/run/waterfall": "gaps after row q kind state from to slowest critical at part",
    "/tasks/run/flame": "after zoom skip at part",
    "/tasks/run/permissions/r1": "at part",
    "/tasks/run/events/1/payload": "part pointer view q from choose",
    "/selection": "do task filters",
    "/login": "next note",
}
"""Paths of pages and page streams, each with the names of its query parameters."""

HOSTILE = (
    "x",
    "-1",
    "1.5",
    "9" * 400,
    "a" * 20_000,
    "\0",
    "a\r\nb",
    "²",
    "0000-01-01T00:00:00Z",
    "1~run",
    "~",
    "a~b~1",
)
FORMS = ("/tasks/run/cancel", "/tasks/run/permissions/r1", "/selection", "/selection/archive", "/views", "/login")


@pytest.fixture(scope="module")
def client(shared_server: Server) -> Iterator[httpx.Client]:
    fill(shared_server.store)
    with httpx.Client(base_url=shared_server.url, headers={"Accept": "text/html"}, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def browser(client: httpx.Client) -> Iterator[PlainClient]:
    with PlainClient(str(client.base_url), {"Accept": "text/html"}) as browser:
        yield browser


@pytest.mark.parametrize("path", PAGES)
def test_a_page_names_the_invalid_parameter(browser: PlainClient, path: str) -> None:
    mark = "&" if "?" in path else "?"
    for name in PAGES[path].split():
        for text in HOSTILE:
            response = browser.request("GET", f"{path}{mark}{name}={quote(text)}")
            assert response.status_code < 500, f"{name}={text[:40]!r}"
            if response.status_code == 400:
                assert name in response.text, f"{name}={text[:40]!r}"
            assert len(response.headers.get("location", "")) < 25_000
        for raw in ("%FF", "%ED%A0%80", "%", "%zz"):
            assert browser.request("GET", f"{path}{mark}{name}={raw}").status_code < 500


@pytest.mark.parametrize(
    "url",
    [
        "/live/tasks?cursor=nonsense",
        "/tasks/run/spans?part=all",
        "/tasks/run/log?part=page",
        "/tasks/run/events/1/payload?part=x",
        "/compare?a=run&b=run&show=some",
        "/tasks?limit=1&limit=2",
        "/permissions?task=a&task=b",
        "/tasks/run?at=1&at=2",
        "/tasks?q=" + "a" * 257,
    ],
)
def test_an_invalid_parameter_is_refused(browser: PlainClient, url: str) -> None:
    assert browser.request("GET", url).status_code == 400


def test_a_list_stream_refuses_a_cursor_of_another_order(browser: PlainClient) -> None:
    cursor = "2026-11-21T14:02:07.000000Z~run"
    assert browser.request("GET", f"/live/tasks?sort=longest&cursor={cursor}").status_code == 409
    assert browser.request("GET", f"/live/tasks?sort=newest&cursor={cursor}").status_code == 200


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("application/x-www-form-urlencoded", b"%FF=%FF&\0=\0&decision=%ED%A0%80&task=" + b"a" * 20_000),
        ("application/x-www-form-urlencoded", b"&" * 5000),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A" * 20_000),
        ("application/json", b"{}"),
        ("text/plain", b"\xff" * 1000),
    ],
)
def test_an_unreadable_form_gets_a_client_error(
    client: httpx.Client, path: str, media_type: str, content: bytes
) -> None:
    response = client.post(path, content=content, headers={"Content-Type": media_type})
    assert response.status_code < 500


@pytest.mark.parametrize("name", ["Accept", "Accept-Encoding", "Accept-Language", "Cookie", "Authorization", "Range"])
@pytest.mark.parametrize("path", ["/tasks", "/api/tasks", "/static/css/app.css", "/tasks/run/raw"])
def test_an_invalid_header_is_ignored(client: httpx.Client, name: str, path: str) -> None:
    for text in (
        b"",
        b";;,,q=",
        b"*/*;q=x",
        b"gzip;q=9",
        b'"',
        b"bytes=9-1,x",
        b"\xff",
        b"Bearer",
        b"=;=",
        b"a=" * 900,
    ):
        assert status_with(client, path, name, text) < 500


@pytest.mark.parametrize(
    "name", ["If-None-Match", "If-Modified-Since", "If-Range", "Last-Event-ID", "Content-Encoding"]
)
def test_an_invalid_conditional_header_is_answered(client: httpx.Client, name: str) -> None:
    for path in ("/static/css/app.css", "/sse/tasks/run/events", "/tasks/run/stream"):
        for text in (b"", b"W/", b'"', b"*", b"Thu, 99 Foo 9999", b"-1", b"9" * 400, b"\xc2\xb2", b"br, gzip"):
            assert status_with(client, path, name, text) < 500


def status_with(client: httpx.Client, path: str, name: str, value: bytes) -> int:
    with client.stream("GET", path, headers=[(b"Host", b"localhost"), (name.encode(), value)]) as response:
        return response.status_code


@pytest.mark.parametrize(
    ("coding", "status"),
    [
        (b"x", b"501"),
        (b"identity", b"501"),
        (b"gzip, chunked", b"501"),
        (b"chunked, gzip", b"400"),
        (b"", b"400"),
        (b"chunked\r\nTransfer-Encoding: x", b"400"),
    ],
)
def test_transfer_encodings_other_than_chunked_are_refused(server: Server, coding: bytes, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(b"GET /tasks HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: " + coding + b"\r\n\r\n")
        response = b"".join(iter(lambda: connection.recv(4096), b""))
    assert response.startswith(b"HTTP/1.1 " + status), response
    assert response.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[" * 60_000 + b"{" * 60_000, None),
        (b'["\\"' + b"[" * 200_000 + b'\\\\", "' + b"{" * 200_000 + b'"]', 1),
        (b'"{""[" ' * 100_000 + b"[]" * 7, 7),
        (b"[]," * 100_001, None),
        (b"{}," * 99_999 + b'"[[["', 99_999),
    ],
    ids=["open", "in-texts", "adjacent", "lists", "allowed"],
)
def test_only_so_many_lists_and_objects_are_decoded(body: bytes, expected: int | None) -> None:
    if expected is None:
        with pytest.raises(BadRequest, match=r"at most 100,000 are allowed"):
            check_density(body)
        return
    check_density(body)
    check_density(body, expected)
    with pytest.raises(BadRequest, match=f"has {expected:,} lists and objects; at most {expected - 1:,}"):
        check_density(body, expected - 1)


def test_only_so_many_names_and_commas_are_decoded() -> None:
    text = b'"a:b,c:":"' + b":," * 400_000 + b'"'
    check_density(b"{" + text + b',"x":0' * 249_999 + b"}")
    with pytest.raises(BadRequest, match="has 250,001 names of fields; at most 250,000"):
        check_density(b"{" + text + b',"x":0' * 250_000 + b"}")
    check_density(b"[" + text + b",0" * 9 + b"]", most_commas=9)
    with pytest.raises(BadRequest, match="has 10 commas between values; at most 9"):
        check_density(b"[" + text + b",0" * 10 + b"]", most_commas=9)


def test_a_large_list_of_numbers_is_accepted(server: Server) -> None:
    numbers = b"[" + b"0.12345," * 125_000 + b"0]"
    call = b'{"session_id":"n","hook_event_name":"PreToolUse","tool_name":"Embed","tool_input":{"vector":%s}}' % numbers
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{server.url}/api/hooks/claude-code", content=call, headers=headers)
    assert answer.status_code == 200, answer.text
    (started,) = [event for event in log_of(server.store, "claude-code-n") if "arguments" in event.payload]
    assert len(started.payload["arguments"]["vector"]) == 10_001


@pytest.mark.parametrize(
    ("path", "begin", "end"),
    [
        ("/api/tasks/dense/events", b'{"event_type":"log","payload":{"x":[', b"[]]}}"),
        ("/api/tasks", b'{"metadata":{"x":[', b"[]]}}"),
        ("/api/hooks/claude-code", b'{"session_id":"s","hook_event_name":"Stop","x":[', b"[]]}"),
        ("/mcp", b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":[', b"[]]}}"),
        ("/v1/traces", b'{"resourceSpans":[{"x":[', b"[]]}]}"),
    ],
)
def test_a_body_of_countless_lists_is_refused(server: Server, path: str, begin: bytes, end: bytes) -> None:
    body = gzip.compress(begin + b"[]," * 900_000 + end)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    refused = httpx.post(server.url + path, content=body, headers=headers)
    assert (refused.status_code, "lists and objects; at most" in refused.text) == (400, True), refused.text


def test_a_request_has_a_limited_number_of_events(server: Server) -> None:
    refused = server.post("/api/tasks/dense/events", [{"event_type": "x"}] * 10_001)
    assert refused.status_code == 400
    assert "length <= 10000" in refused.text
