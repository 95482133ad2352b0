"""The page of a payload shows whatever is stored, names what is missing, and needs no scripts."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import httpx
import pytest

from signalbox.store import NewEvent
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.drawing.payload.address import PayloadAddress
from signalbox.webapp.http.view_choices import VIEWS
from signalbox.webapp.views.payload import payload_view
from tests.support.rendering import FRAGMENTS
from tests.support.server import Server

RAW = '{"zero":1.0,"a":{"b":["x","<y>"]},"text":"one\\ntwo"}'


@pytest.fixture(scope="module")
def payloads(shared_server: Server) -> httpx.Client:
    store = shared_server.store
    store.append(
        "shown", NewEvent(event_type="own", payload={"zero": 1.0, "a": {"b": ["x", "<y>"]}, "text": "one\ntwo"})
    )
    return httpx.Client(base_url=f"{shared_server.url}/tasks/shown/events/", timeout=60)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("part=text&view=raw", RAW),
        ("part=text&pointer=/text", "one\ntwo"),
        ("part=text&pointer=/a/b/1", "<y>"),
        ("part=text&pointer=/a", '{\n  "b": [\n    "x",\n    "<y>"\n  ]\n}'),
    ],
)
def test_the_copied_text_is_exactly_the_value(payloads: httpx.Client, query: str, text: str) -> None:
    answer = payloads.get(f"1/payload?{query}")
    assert answer.text == text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_value_inside_the_payload_has_a_page_with_the_way_to_it(payloads: httpx.Client) -> None:
    html = payloads.get("1/payload?pointer=/a/b&view=json").text
    assert "&lt;y&gt;" in html
    assert 'pointer=%2Fa">a</a>' in html
    assert "<b>b</b>" in html
    assert "zero" not in html


@pytest.mark.parametrize(
    "query", ["2/payload", "1/payload?pointer=/none", "1/payload?pointer=a", "1/payload?pointer=/a/b/2"]
)
def test_a_value_that_does_not_exist_is_not_found(payloads: httpx.Client, query: str) -> None:
    assert payloads.get(query).status_code == 404


def test_a_chosen_view_is_remembered_for_similar_payloads(server: Server, payloads: httpx.Client) -> None:
    server.emit("choices", "# A\n\n**b**", "# C\n\n**d**", "one\ntwo", NewEvent(event_type="own", payload={"a": 1}))
    opened = {1: "payload", 2: "details", 3: "payload", 4: "details"}

    def views(browser: httpx.Client) -> list[list[str]]:
        pages = [browser.get(f"/tasks/choices/events/{seq}/{page}").text for seq, page in opened.items()]
        return [re.findall(r'aria-current="true">(\w+)</a>', page)[-1:] for page in pages]

    with httpx.Client(base_url=server.url, timeout=60) as browser:
        assert views(browser) == [["Markdown"], ["Markdown"], ["Text"], ["JSON"]]
        browser.get("/tasks/choices/events/1/payload?view=raw&choose=1&part=payload")
        assert views(browser) == [["Raw"], ["Raw"], ["Text"], ["JSON"]]
        browser.get("/tasks/choices/events/4/payload?view=text&choose=1")
        browser.get("/tasks/choices/events/3/payload?view=raw")
        assert views(browser) == [["Raw"], ["Raw"], ["Text"], ["Text"]]
        browser.get("/tasks/choices/events/1/payload?view=markdown&choose=1")
        assert views(browser) == [["Markdown"], ["Markdown"], ["Text"], ["Text"]]
        assert (
            "httponly" in browser.get("/tasks/choices/events/1/payload?view=raw&choose=1").headers["set-cookie"].lower()
        )
    assert payloads.get("1/payload", headers={"Cookie": "signalbox_views=x-y.json-.text"}).status_code == 200


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("view=pdf", "view"),
        ("part=all", "part"),
        ("from=-1", "from"),
        ("q=" + "a" * 257, "q"),
        ("pointer=/" + "a" * 10_000, "pointer"),
    ],
)
def test_an_invalid_parameter_is_named(payloads: httpx.Client, query: str, wrong: str) -> None:
    answer = payloads.get(f"1/payload?{query}")
    assert answer.status_code == 400
    assert wrong in answer.text


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ('{"a": NaN}', "NaN"),
        ('{"a": 1e400}', "1e400"),
        ('{"a": "\\ud800"}', "ud800"),
        ("[" * 100_000, "[" * 1000),
        ("no json", "no json"),
    ],
    ids=["NaN", "too large a number", "half a character", "too deep", "text"],
)
async def test_a_payload_that_is_no_valid_json_is_shown_as_text(
    store: SqliteStore, url: str, stored: str, shown: str
) -> None:
    store.append("run", NewEvent(event_type="own", payload={}))
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db, db:
        db.execute("UPDATE task_events SET payload = ?", (stored,))
    async with store.read() as view:
        seen = await payload_view(view, "run", 1)
    for name in VIEWS:
        html = FRAGMENTS.payload_viewer.render(seen.payload, PayloadAddress("/tasks/run/events/1/payload?i=1"), name)
        assert shown in html
