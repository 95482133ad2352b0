"""Export and import again: of archived, held, cold and erased runs, and of a run whose id had an earlier task."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import msgspec

from e2e.random_run import run
from signalbox.store import Event, NewEvent, Store, open_store
from signalbox.webapp.export import ndjson
from signalbox.webapp.export.paging import linked_pages
from signalbox.webapp.export.verified_file import verify_file
from signalbox.webapp.views.heads import all_heads
from tests.support.log import append_audited, log_of, spans_of, task_of

OUTSIDE_THE_LOG: dict[str, Any] = {"identity": "", "archived_at": None, "hold": None, "cold_since": None}


def an_event(event_type: str, key: str | None = None, **payload: Any) -> NewEvent:
    return NewEvent(event_type=event_type, payload=payload, key=key)


async def exported(store: Store, task_id: str) -> list[bytes]:
    """Return the lines of an export without redaction."""
    async with store.read() as view:
        task, claims = await view.task(task_id), await view.log_claims(task_id)
        lines = [ndjson.head_line(task, claims, await all_heads(view, task_id), redacted=False)]
    async for page in linked_pages(store, task):
        lines += ndjson.event_lines(page.events, page.links).splitlines(keepends=True)
    return lines


def import_into(store: Store, lines: list[bytes]) -> None:
    found = ndjson.read(lines)
    store.import_task(found.header.task, found.events, heads=found.heads)


def shown(event: Event) -> tuple[object, ...]:
    fields = ("seq", "event_type", "phase", "actor", "span_id", "parent_span_id", "key", "created_at", "occurred_at")
    return *(getattr(event, name) for name in fields), event.payload


def test_a_run_in_any_state_outside_its_log_survives_export_and_import(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'signalbox.db'}")
    store.append("again", [an_event("log", "same", message="earlier task"), an_event("log")])
    store.delete_task("again")
    store.create_task("again", title="Again", kind="test", metadata={"tags": {"branch": "main"}})
    store.append("again", run(seed=3, length=300))
    store.append("again", an_event("runner_spawn"))
    store.add_artifact("again", io.BytesIO(b"content" * 100), "result.txt")
    store.append("again", [an_event("log", "same", message="secret"), an_event("permission_request", request_id="q")])
    append_audited(store, "again", "permission_response", "ann@example.org", request_id="q", approved=True)
    store.append("again", [an_event("tags_changed", tags={"branch": None, "n": "1"}), an_event("runner_exit")])
    secret = next(event.seq for event in log_of(store, "again") if event.key == "same")
    store.erase_events("again", [secret], actor="ann", reason="asked for")
    store.archive_task("again", True, actor="ann")
    store.hold_task("again", "evidence", actor="ann")
    held = asyncio.run(exported(store, "again"))
    store.hold_task("again", None, actor="ann")
    asyncio.run(store.cold.amove("again"))
    task, log, spans = task_of(store, "again"), log_of(store, "again"), spans_of(store, "again")
    assert task.cold_since is not None
    lines = asyncio.run(exported(store, "again"))
    assert lines[1:] == held[1:]
    store.close()

    # The second copy is made of the export of the first one.
    for number in range(2):
        report = verify_file(lines)
        assert (report.intact, report.erased) == (True, [secret])
        copy = open_store(f"sqlite:///{tmp_path / f'copy-{number}.db'}")
        import_into(copy, lines)
        imported = task_of(copy, "again")
        expected = msgspec.structs.replace(task, **OUTSIDE_THE_LOG)
        assert msgspec.structs.replace(imported, **OUTSIDE_THE_LOG) == expected
        assert (imported.archived_at, imported.hold, imported.cold_since) == (None, None, None)
        assert list(map(shown, log_of(copy, "again"))) == list(map(shown, log))
        assert spans_of(copy, "again") == spans
        lines = asyncio.run(exported(copy, "again"))
        copy.close()
