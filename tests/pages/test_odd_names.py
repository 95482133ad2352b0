"""Spans, checkpoints and requests with unusual names are reachable through URLs as browsers normalise them."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from signalbox.store import InvalidEvent, NewEvent
from signalbox.store.path_segments import MARK, name_of, segment
from signalbox.store.sqlite import SqliteStore
from tests.support.dom import parse
from tests.support.server import Server

NAMES = [
    "../lib/a.c",
    "..",
    ".",
    "./x",
    "a/./b",
    "a/..",
    "/etc/passwd",
    "a//b",
    "%2e%2e",
    "what?",
    "100%",
    "#1",
    "a b",
    "..\\x",
    "schön 🚂",
    f"{MARK}x",
    "~",
    "new\nline",
    "x" * 1000,
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_survives_its_url(name: str) -> None:
    address = f"http://host/tasks/t/spans/{segment(name)}"
    normalised = httpx.URL(urljoin("http://host/", address))
    assert urljoin("http://host/x", urlsplit(address).path) == address, "a browser does not change the URL"
    assert name_of(normalised.path.removeprefix("/tasks/t/spans/")) == name


def test_links_and_forms_work_with_unusual_names(server: Server) -> None:
    store = server.store
    spans = [name for name in NAMES if "\n" not in name and len(name) <= 256]
    for name in spans:
        item = {"work_item_id": name, "work_type": "compile"}
        store.append("dots", NewEvent(event_type="work_item_start", span_id=name, payload=item))
    for name in NAMES:
        store.append("dots", NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": name}))
        request = {"request_id": name, "tool_name": "rm"}
        store.append("dots", NewEvent(event_type="permission_request", payload=request))
    store.append("dots", NewEvent(event_type="log", phase="../x"))
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for page in (
            "/tasks/dots",
            "/tasks/dots/spans",
            "/tasks/dots/waterfall",
            "/tasks/dots/timeline",
            "/permissions",
        ):
            text = client.get(page).text
            for link in set(re.findall(r'href="(/tasks/dots/(?:spans|checkpoints|permissions)/[^"]+)"', text)):
                assert client.get(urljoin(page, unescape(link))).status_code == 200, (page, link)
        forms = re.findall(r'action="(/tasks/dots/permissions/[^"]+)"', client.get("/permissions").text)
        assert len(set(forms)) == len(NAMES)
        for form in forms:
            response = client.post(urljoin("/permissions", unescape(form)), data={"decision": "approve"})
            assert response.status_code == 303, form
        assert client.get("/permissions").text.count("permission-answer") == 0
        phase = client.get(f"/api/tasks/dots/events/phase/{segment('../x')}").json()
        assert [event["phase"] for event in phase] == ["../x"]


@pytest.mark.parametrize("task_id", [".", ".."])
def test_task_ids_that_no_url_can_contain_are_refused(store: SqliteStore, task_id: str) -> None:
    with pytest.raises(InvalidEvent, match=r"not \. or \.\."):
        store.append(task_id, NewEvent(event_type="log"))
    store.append("...", NewEvent(event_type="log"))


def test_no_name_of_a_task_or_request_makes_two_elements_with_one_id(server: Server) -> None:
    for task_id in ("list", "rows", "list-state", "a", "a-1", "a_1"):
        server.emit(task_id, "hello")
    fields = {"x": {"type": "string", "description": "hint"}, "x-hint": {"type": "string"}}
    asked = {"tool_name": "rm", "response_schema": {"type": "object", "properties": fields}}
    for task_id, request_id in (
        ("a", "b-c"),
        ("a-b", "c"),
        ("a-b", "c-item"),
        ("a-b", "c-answer"),
        ("a-b", "c_reason"),
    ):
        server.emit(task_id, NewEvent(event_type="permission_request", payload={"request_id": request_id, **asked}))
    server.emit("a", NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": "title"}))
    for path in ("/tasks", "/permissions", "/watch?task=a&task=a-1", "/tasks/a-b", "/tasks/a/checkpoints/title"):
        found = [node.attributes["id"] for node in parse(server.get(path).text).walk() if "id" in node.attributes]
        assert len(found) == len(set(found)), (path, sorted({one for one in found if found.count(one) > 1}))


def test_the_name_of_a_phase_keeps_its_letters(server: Server) -> None:
    for task_id in ("ios", "other"):
        server.emit(task_id, NewEvent(event_type="phase_enter", span_id="p", phase="pushTo QA on iOS"))
    for path in ("/tasks/ios/timeline", "/compare?a=ios&b=other"):
        assert "PushTo QA on iOS" in server.get(path).text, path
