"""The content of pages, from an empty list to a long log."""

from __future__ import annotations

import itertools
import re

import pytest

from signalbox.store import NewEvent, TaskQuery
from signalbox.store.events import KNOWN_EVENTS
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.drawing import ids
from signalbox.webapp.drawing.log_rows import NOT_IN_ROWS, SHOWN_KEYS
from signalbox.webapp.http.assets import asset
from signalbox.webapp.views.log import log_window
from signalbox.webapp.views.log_page import LogPageView
from signalbox.webapp.views.spans import spans_view
from signalbox.webapp.views.task_list import task_list_view
from tests.support.dom import parse
from tests.support.rendering import FRAGMENTS, log, main, page, parts


async def test_a_relayed_line_shows_when_it_was_written(store: SqliteStore) -> None:
    store.append("run", log("one", at='2026-11-21T14:02:07Z">'))
    assert '<code title="written 2026-11-21T14:02:07Z&#34;&gt;">one</code>' in str(await page(store))
    assert 'class="rest"' not in str(await page(store))


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [
        ("runner_exit", {"exit_code": 3, "status": "failed", "message": "exit code 3"}, "run ended failed exit code 3"),
        ("runner_exit", {"exit_code": 130, "status": "cancelled", "message": "cancelled"}, "cancelled exit code 130"),
        ("phase_exit", {"message": "cancelled", "error_code": "cancelled"}, "phase ended planning cancelled"),
    ],
)
async def test_the_end_of_a_run_or_a_phase_repeats_nothing(
    store: SqliteStore, kind: str, payload: dict[str, object], expected: str
) -> None:
    store.append("run", [NewEvent(event_type=kind, phase="planning", payload=payload)])
    assert main(await page(store)).by_id("e1").text.endswith(expected)


async def test_the_page_shows_the_state_of_the_run(store: SqliteStore) -> None:
    store.create_task("run", title="Nightly audit", kind="audit")
    store.append(
        "run",
        [
            NewEvent(event_type="runner_spawn", span_id="m", payload={"runner_pid": 7, "command": "make all"}),
            NewEvent(event_type="phase_enter", phase="planning", span_id="p", parent_span_id="m"),
            NewEvent(event_type="work_item_start", span_id="w", parent_span_id="p", payload={"work_item_id": "ast.py"}),
            NewEvent(event_type="work_item_failed", span_id="w", payload={"message": "broken"}),
            NewEvent(
                event_type="checkpoint_commit",
                payload={"checkpoint_id": "c1", "evidence_refs": {"artifacts": ["plan.json"], "commit_hash": "9f2c"}},
            ),
            NewEvent(
                event_type="permission_request",
                payload={"request_id": "r", "tool_name": "shell", "arguments": {"command": "rm x"}, "reason": "tidy"},
            ),
        ],
    )
    content = main(await page(store))
    assert "waiting" in content.by_id(ids.TASK_HEADER).text
    assert "Nightly audit" in content.by_id(ids.TASK_HEADER).text
    assert "planning" in content.by_id(ids.TRACK).text
    assert "broken" in content.by_id(ids.span("w")).text
    for words in ("c1", "plan.json", "9f2c", "committed"):
        assert words in content.by_id(ids.CHECKPOINTS).text
    for words in ("shell", "rm x", "tidy"):
        assert words in content.by_id(ids.PERMISSIONS).text
    assert "make all" in content.by_id("e1").text


@pytest.mark.parametrize(
    "event_type", [kind for kind in KNOWN_EVENTS if kind not in ("permission_response", "runner_heartbeat")]
)
async def test_every_key_of_a_payload_is_shown(store: SqliteStore, event_type: str) -> None:
    payload = {key: f"<{key}>" for key in SHOWN_KEYS.get(event_type, ("message",))}
    progress = {"current": 3, "total": 4} if "progress" in payload else None
    store.append(
        "run", NewEvent(event_type=event_type, payload={**payload, "own_key": ["own", "value"], "progress": progress})
    )
    row = main(await page(store)).by_id("e1").text
    for key in payload.keys() - {"progress", "approved"} - NOT_IN_ROWS:
        assert f"<{key}>" in row
    assert "own_key" in row
    assert "value" in row


async def test_an_unknown_event_shows_its_type_and_payload(store: SqliteStore) -> None:
    store.append("run", NewEvent(event_type="own_metric", payload={"loss": 0.5}))
    assert 'own_metric {"loss":0.5}' in main(await page(store)).by_id("e1").text


async def test_a_long_payload_is_folded_but_complete(store: SqliteStore) -> None:
    store.append("run", NewEvent(event_type="own", payload={"numbers": list(range(500))}))
    row = main(await page(store)).by_id("e1")
    assert row.all("details")
    assert "498,499]" in row.text


async def test_spans_beyond_the_window_are_counted_and_listed_on_the_spans_page(store: SqliteStore) -> None:
    for n in range(100):
        store.append("run", NewEvent(event_type="work_item_start", span_id=f"w{n}"))
        store.append("run", NewEvent(event_type="work_item_complete", span_id=f"w{n}"))
    panel = main(await page(store)).by_id(ids.SPANS)
    assert len(panel.all("li")) == 20
    assert "80 more" in panel.text
    async with store.read() as view:
        listed = parts({ids.SPANS_TABLE: "spans/_table.html"}, await spans_view(view, "run"))
    assert len(parse(listed).all("tr")) == 101


async def test_a_window_of_the_log_links_to_its_neighbours(store: SqliteStore) -> None:
    store.append("run", [log(f"line {n}") for n in range(1, 101)])
    async with store.read() as view:
        middle = await log_window(view, "run", around=50, window=10)
        first = await log_window(view, "run", after=0, window=10)
        newest = await log_window(view, "run", window=10)
        before = await log_window(view, "run", before=middle.before, window=10)
    assert 50 in [row.seq for row in middle.rows]
    assert (first.before, newest.after) == (None, None)
    assert before.rows[-1].seq == middle.rows[0].seq - 1
    place = parts({ids.LOG_PLACE: "events/_position.html"}, LogPageView(log=middle, missed="", found=None))
    assert f"/tasks/run/log?before={middle.before}" in place
    assert f"/tasks/run/log?after={middle.after}" in place
    assert "45 newer" in place


async def test_the_list_links_to_each_status_and_to_older_tasks(store: SqliteStore) -> None:
    for n in range(5):
        store.append(f"run-{n}", log("x"))
    store.create_task("run-later", title="Later")
    async with store.read() as view:
        filtered = FRAGMENTS.list_page(
            await task_list_view(view, TaskQuery(statuses=("running",), text="run", limit=2))
        )
    content = main(filtered)
    assert [row.attributes["id"] for row in content.all("tr")[1:]] == [ids.task("run-4"), ids.task("run-3")]
    links = [link.attributes.get("href") or "" for link in content.all("a")]
    assert "/tasks?status=queued&q=run" in links
    assert any(re.match(r"/tasks\?status=running&q=run&cursor=", link) for link in links)


async def test_an_empty_list_explains_how_to_start(store: SqliteStore) -> None:
    async with store.read() as view:
        content = main(FRAGMENTS.list_page(await task_list_view(view, TaskQuery()), base_url="http://box:1"))
    for way in (
        "signalbox run --server http://box:1 -- echo",
        "signalbox demo --server http://box:1",
        "http://box:1/api/tasks/first/events",
    ):
        assert way in content.text


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 421, 500, 503, 599])
def test_an_error_page_explains_the_error_and_links_to_the_tasks(status: int) -> None:
    content = main(FRAGMENTS.error_page(status, "some_code", "it is <b>gone</b>"))
    assert str(status) in content.text
    assert "it is <b>gone</b>" in content.text
    assert any(link.attributes["href"] == "/tasks" for link in content.all("a"))


def test_only_an_error_page_that_reloads_says_so() -> None:
    reloading = FRAGMENTS.error_page(503, "unavailable", "the database is busy", wait=2, reloads=True)
    assert 'http-equiv="refresh" content="5"' in reloading
    assert "reloads automatically" in main(reloading).text
    posted = FRAGMENTS.error_page(503, "unavailable", "the database is busy", wait=2)
    assert "refresh" not in posted
    assert "retry-page" not in posted
    assert "Go back and try again" in main(posted).text
    assert "try again in 5 minutes" in main(FRAGMENTS.error_page(429, "too_many_logins", "wait", wait=290)).text


def test_an_error_message_begins_with_a_capital_letter_unless_it_begins_with_a_name() -> None:
    for message, field, capital in (
        ("there is no task 'x'", None, True),
        ("at must be a time", "at", False),
        ("bob@example.org does not have the right to read", None, False),
    ):
        paragraphs = main(FRAGMENTS.error_page(400, "bad_request", message, field=field)).all("p")
        (paragraph,) = [one for one in paragraphs if message in one.text]
        assert ("error-message" in paragraph.attributes.get("class", "")) == capital


async def test_the_same_state_renders_the_same_page(store: SqliteStore) -> None:
    store.append("run", [log("x"), NewEvent(event_type="work_item_start", span_id="w")])
    assert await page(store) == await page(store)


async def test_the_page_of_a_long_log_has_a_bounded_size(store: SqliteStore) -> None:
    store.append("run", [log(f"line {n} of a log that says about this much in each of its lines") for n in range(1000)])
    assert len((await page(store, window=200)).encode()) < 110_000


def test_every_pair_of_states_has_its_own_icon() -> None:
    from signalbox.store.state import STATUSES

    urls = [asset(f"icons/{status}.svg") for status in STATUSES]
    assert all(icon != other for icon, other in itertools.combinations([re.sub(".*v=", "", url) for url in urls], 2))


async def test_the_start_of_a_command_reads_as_a_sentence(store: SqliteStore) -> None:
    """No row shows the signature and the options, which are only needed for a retry."""
    payload = {
        "command": ["make", "all"],
        "cwd": "/srv/app",
        "host": "ci-3",
        "commit_hash": "a1b2c3d",
        "heartbeat_interval": 10.0,
        "options": ["--server", "http://127.0.0.1:8000"],
        "signature": "5f" * 32,
    }
    store.append("run", [NewEvent(event_type="runner_spawn", payload=payload)])
    expected = "run started make all in /srv/app on ci-3 at commit a1b2c3d heartbeat every 10 s"
    assert main(await page(store)).by_id("e1").text.endswith(expected)


async def test_a_permission_names_its_request_and_a_checkpoint_its_evidence(store: SqliteStore) -> None:
    request = {"request_id": "r1", "tool_name": "rm"}
    commit = {"checkpoint_id": "plan", "evidence_refs": ["e1", "e2"]}
    store.append(
        "run",
        [
            NewEvent(event_type="permission_request", payload=request),
            NewEvent(event_type="permission_cleared", payload={"request_id": "r1", "cause": "expired"}),
            NewEvent(event_type="checkpoint_commit", payload=commit),
        ],
    )
    rows = main(await page(store))
    assert rows.by_id("e1").text.endswith("approval requested rm request r1")
    assert rows.by_id("e2").text.endswith("request closed expired request r1")
    assert rows.by_id("e3").text.endswith("checkpoint plan e1 e2")
