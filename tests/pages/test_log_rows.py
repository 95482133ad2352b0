"""Reading the log: day headings, messages of several lines, colours, commands, and pages of ended runs."""

from __future__ import annotations

import html
import re
import sqlite3
import time
from pathlib import Path

import httpx
import msgspec
import pytest

from signalbox.store import LogQuery, NewEvent, open_store
from signalbox.store.contract import TaskRecord
from signalbox.store.events import Event
from signalbox.store.sqlite import SqliteStore
from tests.support.command import signalbox
from tests.support.rendering import frame, log, page, span
from tests.support.server import Server

TIMES = (
    *("2026-11-23T23:59:58.000000Z", "2026-11-23T23:59:59.000000Z"),
    *("2026-11-24T00:00:01.000000Z", "2026-11-25T00:00:01.500000Z", "2026-11-25T00:00:02.000000Z"),
)
DAYS = ["Monday 23 November 2026", "Tuesday 24 November 2026", "Wednesday 25 November 2026"]


def events() -> list[Event]:
    messages = ("one", "evening", "tuesday", "a whole day later", "")
    return [
        Event(
            event_id=1,
            task_id="days",
            seq=seq,
            event_type="log" if message else "runner_exit",
            actor="runner",
            span_id="main",
            phase=None,
            parent_span_id=None,
            key=None,
            payload_json=msgspec.Raw(msgspec.json.encode({"message": message})),
            created_at=at,
        )
        for seq, (at, message) in enumerate(zip(TIMES, messages, strict=True), 1)
    ]


def days(html: str) -> list[tuple[str, str]]:
    """Return the day headings of rows, each with the id of its row."""
    return [(day, row) for row, day in re.findall(r'<li id="(e\d+)"[^>]*><span class="day"[^>]*>([^<]*)</span>', html)]


@pytest.fixture(scope="module")
def log_of_several_days(shared_server: Server) -> str:
    shared_server.store.import_task(TaskRecord(task_id="days", created_at=TIMES[0]), events())
    return "/tasks/days"


@pytest.mark.parametrize("path", ["", "/log?after=0", "/log?type=log&q=e", "/export.html", "/spans/main", "?at=5"])
def test_the_first_row_of_each_day_names_the_day(server: Server, log_of_several_days: str, path: str) -> None:
    assert [day for day, _ in days(server.get(log_of_several_days + path).text)] == DAYS
    assert [day for day, _ in days(server.get(f"{log_of_several_days}/log?after=3").text)] == DAYS[2:]


@pytest.mark.parametrize("path", ["", "/log?after=0"])
def test_the_days_of_the_rows_are_those_of_the_viewers_zone(
    server: Server, log_of_several_days: str, path: str
) -> None:
    in_new_york = server.get(log_of_several_days + path, cookies={"signalbox_zone": "America/New_York"}).text
    assert days(in_new_york) == [(DAYS[0], "e1"), (DAYS[1], "e4")]


def test_text_output_shows_the_day_of_each_line(server: Server, log_of_several_days: str) -> None:
    printed = signalbox("tail", "days", "--store", server.store_url).stdout.splitlines()
    assert [line for line in printed if "UTC" in line] == [f"── {day}, UTC" for day in DAYS]
    assert [printed.index(f"── {day}, UTC") for day in DAYS] == [0, 3, 5]
    assert all(re.match(r"2026-11-2\d", line) for line in server.get(f"{log_of_several_days}/raw").text.splitlines())


async def test_a_message_of_several_lines_shows_how_many_more_there_are(store: SqliteStore) -> None:
    failed = NewEvent(event_type="work_item_failed", payload={"message": "no\nnot at all\n"})
    store.append("run", [log("Traceback:\n  File\n    f()\nZeroDivisionError\n"), log("one line\n\n"), failed])
    html = await page(store)
    assert re.findall(r'<a class="more-lines" href="(#e\d+)">([^<]*)</a>', html) == [
        ("#e1", "+3 lines"),
        ("#e3", "+1 line"),
    ]
    assert "ZeroDivisionError</code>" in html
    assert "+3 lines" in await frame(store, 0)


async def test_other_payload_fields_are_shown_without_escape_sequences(store: SqliteStore) -> None:
    store.append("run", log("x", colour="\x1b[31mred\x1b[0m"))
    assert "{&#34;colour&#34;:&#34;red&#34;}" in await page(store)


def test_a_search_finds_text_interrupted_by_colours(server: Server) -> None:
    server.emit("coloured", "\x1b[31mfai\x1b[0mled to connect", "else")
    assert 'id="e1"' in server.get("/tasks/coloured/log?q=failed").text
    result = server.get("/api/tasks/coloured/events?q=failed").json()
    assert [event["seq"] for event in result["events"]] == [1]


async def test_upgrading_a_database_makes_coloured_text_searchable(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    store = open_store(url)
    store.append("run", [log("\x1b[31mfai\x1b[0mled"), log("failed")])
    store.close()
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.executescript("ALTER TABLE task_events DROP plain; DELETE FROM migrations WHERE name = '012_plain';")
    old.close()
    store = open_store(url)
    async with store.read() as view:
        assert (await view.search("run", LogQuery(text="failed"))).total == 2
    await store.aclose()


def test_a_command_is_shown_as_typed_in_a_shell(server: Server) -> None:
    command = ["sh", "-c", "echo 'it is'; exit 3", "a b", ""]
    typed = """sh -c 'echo '"'"'it is'"'"'; exit 3' 'a b' ''"""
    spawn = NewEvent(event_type="runner_spawn", payload={"command": command})
    server.emit("typed", spawn, NewEvent(event_type="runner_spawn", payload={"command": "make all"}))
    for path in ("", "/log?after=0", "/log?q=echo", "/export.html", "/raw", "?at=1", "/timeline", "/timeline?at=1"):
        page_text = html.unescape(server.get(f"/tasks/typed{path}").text)
        assert '["sh"' not in page_text, path
        assert typed in page_text or "timeline" in path, path
    assert "make all" in server.get("/tasks/typed").text


def test_pages_of_an_ended_run_do_not_say_that_more_will_come(server: Server) -> None:
    server.emit("over", NewEvent(event_type="runner_exit", payload={"status": "done"}))
    server.emit("over-too", NewEvent(event_type="runner_exit", payload={"status": "done"}))
    task = "/tasks/over"
    pages = ("", "/log?around=99", "/spans", "/waterfall", "/timeline", "?at=99", "?at=1", "/waterfall?at=9")
    for path in (*(task + suffix for suffix in pages), "/compare?a=over&b=over-too"):
        words = re.sub(r"<[^>]*>", " ", server.get(path).text)
        assert not re.search(r"\byet\b|\bso far\b|[Ww]aiting for", words), path


async def test_rows_are_indented_by_the_depth_of_their_span_up_to_six_levels(store: SqliteStore) -> None:
    store.append("run", NewEvent(event_type="runner_spawn", span_id="s0"))
    store.append("run", [span(f"s{depth}", f"s{depth - 1}") for depth in range(1, 9)])
    store.append("run", [span("x", "y"), span("y", "x"), NewEvent(event_type="log", span_id="s3", payload={})])
    classes = r'<li id="e(\d+)"[^>]*>(?:<span class="day".*?</span>)?<a class="turn(?: depth-(\d))?"'
    depths = {int(seq): int(depth or 0) for seq, depth in re.findall(classes, await page(store, window=20))}
    assert [depths[seq] for seq in range(1, 10)] == [0, 1, 2, 3, 4, 5, 6, 6, 6]
    assert depths[10] == depths[11] == 6, "spans that are each other's ancestors"
    assert depths[12] == 3
    assert 'class="turn depth-3"' in await frame(store, 11)


async def test_the_page_says_which_columns_are_constant(store: SqliteStore) -> None:
    store.append("run", [log("one"), log("two")])
    assert 'class="log-columns one-phase one-actor"' in await page(store)
    store.append("run", NewEvent(event_type="log", actor="worker", payload={"message": "three"}))
    assert 'class="log-columns one-phase"' in await page(store)


def test_an_open_row_has_facts_and_the_payload_that_the_row_does_not_show(server: Server) -> None:
    data = NewEvent(event_type="log", phase="executing", payload={"message": "m", "data": {"deep": [1]}})
    server.emit("facts", "plain", data, "# Title\n\n- a **list**\n- of `two`\n")
    plain, full, markdown = (server.get(f"/tasks/facts/events/{seq}/details").text for seq in (1, 2, 3))
    assert "viewer" not in plain
    assert "runner" in plain
    assert "executing" in full
    assert "deep" in full
    assert "<strong>list</strong>" in markdown
    assert server.get("/tasks/facts/events/9/details").status_code == 404


def test_choices_for_reading_are_kept_in_a_cookie(server: Server) -> None:
    server.emit("read", "one")

    def choose(cookie: str, **form: str) -> str:
        response = httpx.post(f"{server.url}/log-reading", data=form, headers={"Cookie": f"signalbox_log={cookie}"})
        assert response.status_code == 303, response.text
        return response.cookies.get("signalbox_log") or ""

    assert choose("", wrap="1") == "wrap"
    assert choose("wrap-nonsense", expand="1", fold="1") == "wrap-expand-fold"
    assert choose("wrap-expand", wrap="0") == "expand"
    shown = server.get("/tasks/read", headers={"Cookie": "signalbox_log=expand-<b>"}).text
    assert '<body class="page page--task rows-expand">' in shown
    assert re.search(r'name="expand" value="0" aria-pressed="true"', shown)
    for wrong in ({"colour": "1"}, {"wrap": "yes"}):
        response = httpx.post(f"{server.url}/log-reading", data=wrong)
        assert response.status_code == 400
        assert next(iter(wrong)) in response.text


async def test_rows_of_many_empty_lines_are_rendered_in_little_time(store: SqliteStore) -> None:
    store.append("run", [log("a" + "\n" * 1400 + "b")] * 100)
    began = time.process_time()
    text = await page(store, window=200)
    assert time.process_time() - began < 1
    assert text.count("+1,400 lines") == 100
