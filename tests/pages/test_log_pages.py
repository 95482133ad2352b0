"""`/tasks/{id}/log`: searches, windows of the log, and links to single events."""

from __future__ import annotations

import html
import re

import httpx
import pytest

from signalbox.store import NewEvent
from tests.support.addresses import without_identity
from tests.support.server import Server


@pytest.fixture(scope="module")
def long_log(shared_server: Server) -> str:
    """Create a task with 1,000 events and failures at #400 and #700; return the path of its log."""
    lines = [
        NewEvent(event_type="log", phase="executing", payload={"message": f"line {n} {'odd' if n % 2 else 'even'}"})
        for n in range(1, 1001)
    ]
    lines[399] = NewEvent(event_type="work_item_failed", phase="executing", payload={"work_item_id": "<b>"})
    lines[699] = NewEvent(event_type="log", payload={"message": "broken", "level": "error", "stream": "stderr"})
    shared_server.emit("long", *lines)
    return "/tasks/long/log"


def seqs(page: str) -> list[int]:
    return [int(seq) for seq in re.findall(r'<li id="e(\d+)"', page)]


def test_a_search_counts_matches_and_links_to_their_context(server: Server, long_log: str) -> None:
    page = server.get(f"{long_log}?q=LINE+77").text
    assert seqs(page) == [77, *range(770, 780)]
    assert "<b>11</b> of 1,000 events" in page
    assert f'href="{long_log}?around=77#e77"' in without_identity(page)


def test_filters_combine_and_empty_filters_are_ignored(server: Server, long_log: str) -> None:
    assert seqs(server.get(f"{long_log}?q=&type=log&phase=&actor=&level=error&stream=stderr&span=").text) == [700]
    assert seqs(server.get(f"{long_log}?failed=1").text) == [400, 700]
    assert seqs(server.get(f"{long_log}?failed=1&phase=executing").text) == [400]
    assert server.get(f"{long_log}?q=&type=&phase=").headers["location"] == f"{long_log}?after=900"


def test_search_results_are_paged(server: Server, long_log: str) -> None:
    found: list[int] = []
    path = f"{long_log}?q=even&phase=executing"
    while path:
        page = server.get(path).text
        found += seqs(page)
        more = re.search(r'rel="next" href="([^"]*)"', page)
        path = more[1].replace("&amp;", "&") if more else ""
    assert found == [n for n in range(2, 1001, 2) if n not in (400, 700)]


def test_a_search_without_results_shows_the_query(server: Server, long_log: str) -> None:
    page = server.get(f'{long_log}?q="><script>').text
    assert "No events match" in page
    assert 'value="&#34;&gt;&lt;script&gt;"' in page
    assert "<script>" not in page.split("<main")[1]


def test_failure_after_jumps_to_the_next_failure(server: Server, long_log: str) -> None:
    first = server.get(f"{long_log}?failure_after=0")
    assert first.headers["location"] == f"{long_log}?around=400#e400"
    page = server.get(f"{long_log}?around=400").text
    assert 400 in seqs(page)
    assert f'href="{long_log}?failure_after=400"' in without_identity(page)
    assert server.get(f"{long_log}?failure_after=400").headers["location"] == f"{long_log}?around=700#e700"
    last = server.get(f"{long_log}?failure_after=700", follow_redirects=True)
    assert last.url.query == b"failure_after=700&around=700"
    assert "No failure after #700." in last.text
    assert 700 in seqs(last.text)


def test_a_log_without_failures_shows_a_note(server: Server) -> None:
    server.emit("fine", "one", "two")
    assert "No failure in this log." in server.get("/tasks/fine/log?failure_after=0", follow_redirects=True).text


def test_a_time_leads_to_the_first_event_at_or_after_it(server: Server, long_log: str) -> None:
    early = server.get(f"{long_log}?at=2020-01-01T00:00")
    assert early.headers["location"] == f"{long_log}?around=1#e1"
    late = server.get(f"{long_log}?at=2999-01-01T00:00:00%2B02:00", follow_redirects=True)
    assert "This is the end of the log." in late.text
    assert seqs(late.text) == list(range(901, 1001))


@pytest.mark.parametrize(
    ("parameters", "named"),
    [("at=yesterday", "at"), ("failure_after=x", "failure_after"), (f"q={'x' * 300}", "q"), ("q=x&after=-1", "after")],
)
def test_an_invalid_parameter_is_named(server: Server, long_log: str, parameters: str, named: str) -> None:
    response = server.get(f"{long_log}?{parameters}")
    assert response.status_code == 400
    assert named in response.text


def test_the_end_of_the_log_redirects_to_a_stable_url(server: Server, long_log: str) -> None:
    assert server.get(long_log).headers["location"] == f"{long_log}?after=900"
    assert seqs(server.get(f"{long_log}?after=900").text) == list(range(901, 1001))
    assert seqs(server.get(f"{long_log}?before=1001").text) == list(range(801, 1001))


def test_a_seq_beyond_the_log_shows_the_last_page(server: Server, long_log: str) -> None:
    assert seqs(server.get(f"{long_log}?before=1100").text) == list(range(801, 1001))
    ahead = server.get(f"{long_log}?around=1001").text
    assert seqs(ahead) == list(range(901, 1001))
    assert "There is no #1001." in ahead


def test_an_empty_log_has_a_page(server: Server) -> None:
    server.post("/api/tasks", {"task_id": "empty"})
    page = server.get("/tasks/empty/log", follow_redirects=True)
    assert page.url.query == b"after=0"
    assert "No events." in page.text


@pytest.mark.parametrize("parameters", ["q=x", "failure_after=0", "at=2020-01-01", "around=1"])
def test_the_log_of_an_unknown_task_is_404(server: Server, parameters: str) -> None:
    assert server.get(f"/tasks/nobody/log?{parameters}").status_code == 404


def test_a_short_url_redirects_to_the_event(server: Server, long_log: str) -> None:
    assert server.get("/tasks/long/events/7").headers["location"] == f"{long_log}?around=7#e7"


def test_the_api_accepts_the_same_filters(server: Server, long_log: str) -> None:
    events = "/api/tasks/long/events"
    first = server.get(f"{events}?q=even&limit=2").json()
    assert [event["seq"] for event in first["events"]] == [2, 4]
    assert (first["total"], first["matching"], first["has_more"], first["next_seq"]) == (1000, 498, True, 4)
    last = server.get(f"{events}?failed=1&since_seq=400").json()
    assert [event["seq"] for event in last["events"]] == [700]
    assert (last["matching"], last["has_more"], last["next_seq"]) == (2, False, 1000)
    assert "matching" not in server.get(events).json()


def test_a_search_result_shows_the_text_around_its_match(server: Server) -> None:
    server.emit(
        "deep", f"{'z' * 5000} needle {'q' * 2000}", "one\ntwo with a Needle", "a needle", f"{'a' * 99}<b>needle"
    )
    result = NewEvent(event_type="tool_result", payload={"tool_name": "sh", "result": {"out": f"{'x' * 80}needle"}})
    server.emit("deep", result, NewEvent(event_type="needle_found", payload={"n": 1}))
    page = server.get("/tasks/deep/log?q=needle").text
    shown = dict(re.findall(r'<li id="e(\d+)".*?<span class="excerpt">(.*?)</span>', re.sub("</li>", "</li>\n", page)))
    assert shown["1"] == f"…{'z' * 59} <mark>needle</mark> {'q' * 159}…"
    assert shown["2"] == "one two with a <mark>Needle</mark>"
    assert shown["4"].endswith("a&lt;b&gt;<mark>needle</mark>")
    assert "x<mark>needle</mark>&#34;}" in shown["5"]
    assert shown.keys() == {"1", "2", "4", "5"}
    assert "excerpt" not in server.get("/tasks/deep/log?type=log").text.split("<main")[1]


def test_links_to_failures_keep_the_heartbeats(server: Server) -> None:
    beat, failed = NewEvent(event_type="runner_heartbeat"), NewEvent(event_type="work_item_failed", span_id="w")
    server.emit("beating", "one", beat, failed, beat)
    page = server.get("/tasks/beating/log?after=0&heartbeats=1").text
    links = re.findall(r'href="([^"]*failure_(?:after|before)=[^"]*)"', page)
    assert len(links) == 2
    for link in [*links, "/tasks/beating/log?failure_after=3&heartbeats=1"]:
        found = httpx.get(f"{server.url}{html.unescape(link)}", follow_redirects=True).text
        assert 'id="e2"' in found, link
