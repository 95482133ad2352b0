"""Pages, exports and commands show the `occurred_at` of an event where it has one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.command import signalbox
from tests.support.server import Server

PATHS = (
    "/tasks/late",
    "/tasks/late/log?around=1",
    "/tasks/late/waterfall",
    "/tasks/late/timeline",
    "/tasks/late/spans/w",
    "/tasks/late/export.html",
    "/tasks/late?at=2",
    "/",
)


def emit(server: Server, task_id: str, event_type: str, occurred_at: str, **fields: object) -> dict[str, object]:
    event = {"event_type": event_type, "occurred_at": occurred_at, **fields}
    response = server.post(f"/api/tasks/{task_id}/events", json=event)
    assert response.status_code == 201, response.text
    stored: dict[str, object] = response.json()
    return stored


def row(page: str, seq: int) -> str:
    match = re.search(rf'<li id="e{seq}".*?</li>', page)
    assert match
    return match[0]


def test_a_row_shows_when_its_event_happened_and_was_appended(server: Server) -> None:
    stored = emit(server, "rows", "log", "2026-11-20T13:00:00.25+01:00", payload={"message": "late"})
    server.emit("rows", "at once")
    page = server.get("/tasks/rows").text
    late, at_once = row(page, 1), row(page, 2)
    assert 'datetime="2026-11-20T12:00:00.250000Z"' in late
    assert f'data-appended="{stored["created_at"]}"' in late
    assert ">11-20 12:00:00</time>" in late
    assert "data-appended" not in at_once
    assert f'data-day="{str(stored["created_at"])[:10]}"' in late, "the day is that of the append"
    assert "data-day" not in at_once
    assert server.get("/tasks/rows/raw").text.startswith("2026-11-20T12:00:00.250000Z #1 ")


def test_a_row_of_another_year_shows_its_date(server: Server) -> None:
    emit(server, "years", "log", "2019-11-20T12:00:00Z", payload={"message": "old"})
    assert ">2019-11-20</time>" in row(server.get("/tasks/years").text, 1)


def test_durations_on_pages_are_computed_from_occurred_at(server: Server) -> None:
    item = {"span_id": "w", "payload": {"work_item_id": "w"}}
    emit(server, "took", "work_item_start", "2026-11-20T12:00:00Z", **item)
    emit(server, "took", "work_item_complete", "2026-11-20T12:00:42Z", **item)
    assert "42 s" in server.get("/tasks/took/spans/w").text
    emit(server, "took", "runner_exit", "2026-11-20T12:01:00Z", payload={"exit_code": 0})
    assert "1 m 00 s" in server.get("/tasks/took").text
    assert ",42.000000," in server.get("/tasks/took/spans.csv").text


@pytest.mark.parametrize("occurred_at", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
def test_extreme_times_break_no_page(server: Server, occurred_at: str) -> None:
    item = {"span_id": "w", "phase": "planning", "payload": {"work_item_id": "w"}}
    emit(server, "late", "work_item_start", occurred_at, **item)
    emit(server, "late", "checkpoint_commit", occurred_at, payload={"checkpoint_id": "c"})
    for path in PATHS:
        assert server.get(path).status_code == 200, path


def test_an_invalid_occurred_at_is_refused_by_the_api_and_the_command(server: Server) -> None:
    response = server.post("/api/tasks/bad/events", json={"event_type": "log", "occurred_at": "noon"})
    assert response.status_code == 400
    assert "occurred_at must be a time with its zone, such as 2026-11-21T14:02:07Z" in response.text
    assert server.get("/api/tasks/bad").status_code == 404
    for target in (["--store", server.store_url], ["--server", server.url]):
        done = signalbox("emit", "bad", "log", "--occurred-at", "noon", *target)
        assert done.returncode == 2
        assert "occurred_at must be a time with its zone" in done.stderr


def test_exports_keep_occurred_at_and_the_command_emits_it(server: Server, tmp_path: Path) -> None:
    done = signalbox("emit", "trip", "log", "--occurred-at", "2026-11-20T12:00Z", "--server", server.url)
    assert '"occurred_at":"2026-11-20T12:00:00.000000Z"' in done.stdout
    server.emit("trip", "at once")
    file = tmp_path / "trip.ndjson"
    file.write_bytes(server.get("/tasks/trip/export.ndjson?full=1").content)
    assert file.read_text().count("occurred_at") == 1
    signalbox("import", str(file), "--as", "copy", "--store", server.store_url)
    events = server.get("/api/tasks/copy/events").json()["events"]
    assert [event.get("occurred_at") for event in events] == ["2026-11-20T12:00:00.000000Z", None]
