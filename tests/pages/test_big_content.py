"""Pages and API responses have a bounded size, however much a run stores, and state what they leave out."""

from __future__ import annotations

import re
import sqlite3
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from html import unescape
from urllib.parse import urljoin

import httpx
import pytest

from signalbox.store import Event, NewEvent
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.live.ring import RING_BYTES, Ring
from tests.support.server import Server
from tests.support.waiting import wait_until

MAX_PAGE_BYTES = 1_000_000
"""The largest allowed page, in bytes."""

BIG = "x" * 200_000
MANY_REFS = {f"name {n}": ["&" * 100] * 20 for n in range(30)}


def _item(name: str, event_type: str = "work_item_start", **fields: object) -> NewEvent:
    return NewEvent(event_type=event_type, span_id=name, payload={"work_item_id": name, **fields})


def _asks(n: int, **fields: object) -> list[NewEvent]:
    return [NewEvent(event_type="permission_request", payload={"request_id": f"r{n}", **fields}) for n in range(n)]


@pytest.fixture(scope="module")
def filled(shared_server: Server) -> Server:
    store = shared_server.store
    for _ in range(60):
        store.append("big", NewEvent(event_type="tool_result", payload={"tool_name": "fetch", "result": BIG}))
    store.append("big", NewEvent(event_type="log", payload={"message": "m" * 250_000}))
    store.append("perms", _asks(3000, tool_name="rm", arguments={"path": "/tmp"}))
    for ask in _asks(30, tool_name="t" * 9000, arguments={"text": BIG}, reason=BIG[:20_000]):
        store.append("perms2", ask)
    for ask in _asks(30, tool_name="t", evidence_refs=MANY_REFS):
        store.append("perms3", ask)
        commit = {"checkpoint_id": f"c{ask.payload['request_id']}", "evidence_refs": MANY_REFS}
        store.append("perms3", NewEvent(event_type="checkpoint_commit", payload=commit))
    for name in ("deep-a", "deep-b"):
        chain = [_item("s0"), *(_item(f"s{n}") for n in range(1, 2000))]
        chain = [NewEvent(**{**_fields(e), "parent_span_id": f"s{n - 1}" if n else None}) for n, e in enumerate(chain)]
        store.append(name, chain)
    for n in range(100):
        store.append("errors", [_item(f"e{n}", work_type=BIG), _item(f"e{n}", "work_item_failed", message=BIG)])
    refs = {"artifacts": ["a" * 100] * 1500, "commit_hash": BIG[:50_000]}
    for n in range(25):
        commit = {"checkpoint_id": f"c{n}", "message": BIG[:30_000], "evidence_refs": refs}
        store.append("checkpoints", NewEvent(event_type="checkpoint_commit", payload=commit))
    for n in range(20):
        store.append(f"failed-{n}", NewEvent(event_type="runner_exit", payload={"status": "failed", "message": BIG}))
    return shared_server


def _fields(event: NewEvent) -> dict[str, object]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


@pytest.fixture(scope="module")
def client(filled: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=filled.url, timeout=60) as client:
        yield client


@pytest.mark.long
@pytest.mark.parametrize(
    "path",
    [
        "/tasks",
        "/permissions",
        "/permissions?task=perms",
        "/permissions?task=perms3",
        "/tasks/perms3",
        "/compare?a=deep-a&b=deep-b",
        "/tasks/big",
        "/tasks/big/frame?since=0",
        "/tasks/big?at=40",
        "/tasks/big/log?after=0",
        "/tasks/big/log?type=tool_result",
        "/tasks/perms",
        "/tasks/perms?at=2000",
        "/tasks/perms2",
        "/tasks/perms/timeline",
        "/tasks/deep-a",
        "/tasks/deep-a/spans",
        "/tasks/deep-a/waterfall",
        "/tasks/deep-a/spans/s1999",
        "/tasks/errors",
        "/tasks/errors/spans",
        "/tasks/errors/spans/e1",
        "/tasks/errors/waterfall",
        "/tasks/errors/timeline",
        "/tasks/checkpoints",
        "/tasks/checkpoints/timeline",
        "/tasks/checkpoints/checkpoints/c3",
    ],
)
def test_every_page_is_smaller_than_a_megabyte(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert len(response.content) < MAX_PAGE_BYTES
    assert response.elapsed.total_seconds() < 5


def test_a_long_payload_is_shortened_and_loads_when_opened(client: httpx.Client) -> None:
    page = client.get("/tasks/big").text
    row = re.search(r'<li id="e60".*?</li>', page, re.DOTALL)
    assert row
    assert "fetch" in row[0]
    assert "200 KB" in row[0]
    link = re.search(r'<a class="rest-whole" data-volatile href="([^"]+)" hx-get="([^"]+)"', row[0])
    assert link
    full = client.get(urljoin("/tasks/big", unescape(link[1])))
    assert full.text.startswith("<!doctype html>")
    assert '<div class="viewer"' in full.text
    part = client.get(unescape(link[2])).text
    assert part.startswith('<div class="viewer"')
    assert len(part) < 60_000
    shown, piece = "", f"{unescape(link[1])}&pointer=/result&part=piece"
    while piece:
        text = client.get(unescape(piece)).text
        shown += re.sub("<a .*</a>|<[^>]*>", "", text)
        more = re.search(r'hx-get="([^"]+)"', text)
        piece = more[1] if more else ""
    assert shown == BIG
    assert BIG in client.get(f"{unescape(link[1])}&part=text").text
    assert client.get("/tasks/big/events/999/payload").status_code == 404


def test_long_permission_arguments_load_when_opened(client: httpx.Client) -> None:
    card = client.get("/tasks/perms2").text
    assert "Show 40,000 of 196,000 more characters" in card
    assert BIG in client.get("/tasks/perms2/events/1/payload?pointer=/arguments/text&part=text").text


def test_references_on_a_card_are_bounded_in_characters(start_server: Callable[..., Server]) -> None:
    server = start_server()  # whose inbox has no requests of other tests
    server.emit("t", *_asks(5, tool_name="rm", evidence_refs={"commit": "abc", **MANY_REFS}))
    commit = {"checkpoint_id": "c1", "evidence_refs": MANY_REFS}
    server.emit("t", NewEvent(event_type="checkpoint_commit", payload=commit))
    for path in ("/tasks/t", "/permissions"):
        page = server.get(path).text
        assert len(page) < 150_000, path
        (first, *_) = re.findall(r'<a href="(/tasks/t/events/1/payload\?[^"]+)">([0-9]+ more)</a>', page)
        assert "payload of" in server.get(unescape(first[0])).text
    whole = server.get("/tasks/t/checkpoints/c1").text
    assert whole.count("&amp;" * 100) >= 600


def test_a_long_form_is_only_on_the_page_of_its_request(server: Server) -> None:
    """All editable arguments are in the form, so they do not load when they are opened."""
    for ask in _asks(10, tool_name="write", arguments={"text": BIG}, editable=True):
        server.emit("long-forms", ask)
    for path in ("/tasks/long-forms", "/permissions?task=long-forms"):
        page = server.get(path)
        assert len(page.content) < MAX_PAGE_BYTES
        links = re.findall(r'<a href="([^"]*)"[^>]*>Open the request to answer it</a>', page.text)
        assert len(links) == 10
        assert BIG in server.get(unescape(links[0])).text


def test_an_inbox_of_long_requests_has_short_pages_and_leaves_out_only_a_damaged_one(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()  # whose inbox has no requests of other tests
    asked = _asks(60, tool_name="rm", arguments={"text": BIG})
    for first in range(0, 60, 20):
        server.emit("long", *asked[first : first + 20])
    with closing(sqlite3.connect(server.path)) as connection, connection:
        connection.execute("UPDATE task_permissions SET state = X'00' WHERE request_id = 'r3'")
    seen, path = list[list[str]](), "/permissions"
    while path:
        page = server.get(path).text
        seen.append(re.findall(r'action="/tasks/long/permissions/(r[0-9]+)[?"]', page))
        path = unescape((re.search(r'rel="next" href="([^"]+)"', page) or ["", ""])[1])
    assert [one for page in seen for one in page] == [f"r{n}" for n in range(60) if n != 3]
    assert max(map(len, seen)) == 20


def test_omitted_content_is_counted_and_linked(client: httpx.Client) -> None:
    page = client.get("/tasks/perms").text
    assert "2,980 more requests: " in page
    assert 'href="/permissions?task=perms"' in page
    seen, path = set[str](), "/permissions?task=perms"
    for _ in range(3):
        page = client.get(path).text
        seen |= set(re.findall(r'action="/tasks/perms/permissions[^"]*"', page))
        path = re.search(r'rel="next" href="([^"]+)"', page)[1].replace("&amp;", "&")  # type: ignore[index]
    assert len(seen) == 150
    assert client.get("/permissions?after=nonsense").status_code == 400
    assert "1,480 more" in client.get("/tasks/checkpoints").text


def test_api_responses_are_bounded_in_bytes_and_continue(client: httpx.Client) -> None:
    seqs: list[int] = []
    more, since = True, 0
    while more:
        response = client.get("/api/tasks/big/events", params={"since_seq": since, "limit": 1000})
        assert len(response.content) < 10_000_000
        page = response.json()
        seqs += [event["seq"] for event in page["events"]]
        more, since = page["has_more"], page["next_seq"]
    assert seqs == list(range(1, 62))
    for path in ("events/latest?limit=500", "events/snapshot?limit=500", "graph", "checkpoints", "permissions"):
        for task in ("big", "perms", "checkpoints", "errors"):
            assert len(client.get(f"/api/tasks/{task}/{path}").content) < 12_000_000
    graph = client.get("/api/tasks/errors/graph").json()
    assert graph["has_more"]
    assert graph["next_after"]
    response = client.get("/api/tasks/perms/permissions", params={"limit": 10})
    assert len(response.json()) == 10
    assert 'rel="next"' in response.headers["Link"]


def test_requests_and_answers_are_quick_with_many_open_permissions(filled: Server, client: httpx.Client) -> None:
    response = client.post(
        "/api/tasks/perms/events", json={"event_type": "permission_request", "payload": {"request_id": "last"}}
    )
    assert response.elapsed.total_seconds() < 1
    response = client.post("/api/tasks/perms/permissions/r7", json={"approved": True})
    assert response.status_code == 201
    assert response.elapsed.total_seconds() < 1


def test_the_ring_of_recent_events_is_bounded_in_bytes(store: SqliteStore) -> None:
    ring = Ring(4096)
    for _ in range(100):
        ring.push(store.append("t", NewEvent(event_type="log", payload={"message": BIG})))
    assert ring.head == 100
    assert ring.after(10, lambda event: b"") is None
    held = ring.after(99, lambda event: bytes(event.payload_json))
    assert held is not None
    assert len(held.body) > 200_000
    assert sum(ring.after(n, lambda event: b"") is not None for n in range(100)) <= 2 * RING_BYTES / len(BIG) + 1


@pytest.mark.long
def test_readers_at_many_different_places_of_the_ring_hold_few_bytes(store: SqliteStore) -> None:
    ring = Ring(2048)
    ring.push(store.append("t", [NewEvent(event_type="log", payload={"message": "x" * 1500})] * 2000))
    tracemalloc.start()
    for cursor in range(2000):
        assert ring.after(cursor, _encoded)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The encoded events, the bytes of the chunks that are kept, and each of these framed.
    assert held < 4 * RING_BYTES


def _encoded(event: Event) -> bytes:
    return bytes(event.payload_json)


@pytest.mark.long
def test_a_checkpoint_with_many_events_is_answered_in_pages(server: Server) -> None:
    commits = [NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": "c"})] * 400
    evidence = [
        NewEvent(
            event_type="evidence_linked", payload={"checkpoint_id": "c", "evidence_id": f"e{n}", "note": "x" * 400}
        )
        for n in range(400)
    ]
    server.store.append("many", [*commits, *evidence])
    seqs, path = list[int](), "/api/tasks/many/checkpoints"
    while path:
        response = server.get(path)
        assert len(response.content) < 12_000_000
        page = response.json()
        assert all(len(one["evidence"]) == 400 for one in page)
        seqs += [one["seq"] for one in page]
        path = response.links.get("next", {}).get("url", "")
    assert seqs == list(range(1, 401))


def test_permissions_expire_however_many_are_open(start_server: Callable[..., Server]) -> None:
    server = start_server(heartbeat_timeout=2)
    server.store.append("crowd", _asks(2500, expires_at="2999-01-01T00:00:00Z"))
    request = {"request_id": "late", "expires_at": "2026-01-01T00:00:00Z"}
    server.store.append("zz", NewEvent(event_type="permission_request", payload=request))

    def cleared() -> bool:
        events = httpx.get(f"{server.url}/api/tasks/zz/events").json()["events"]
        return events[-1]["event_type"] == "permission_cleared"

    wait_until(cleared)
