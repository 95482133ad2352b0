"""Test artifacts: stored once, read in pieces, limited, and deleted with the last task that refers to them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from io import BytesIO

import pytest

from signalbox.store import InvalidEvent, NewEvent, Store, UnknownTask
from signalbox.store.artifacts import PIECE_BYTES, type_of
from signalbox.store.errors import TooLarge
from signalbox.store.history import History
from signalbox.store.past_reading import PastReading
from signalbox.store.sql import artifacts
from signalbox.store.state import Artifact

BIG = os.urandom(2 * PIECE_BYTES + 17)


async def read(store: Store, sha256: str) -> bytes | None:
    async with store.read() as view:
        if not await view.has_content("", sha256):
            return None
        found, number = b"", 0
        while (piece := await view.content_piece("", sha256, number)) is not None:
            found, number = found + piece, number + 1
    return found


async def listed(store: Store, task_id: str) -> list[Artifact]:
    async with store.read() as view:
        return await view.artifacts(task_id)


@pytest.mark.parametrize("content", [b"", b"hello", BIG, b"x" * PIECE_BYTES])
async def test_an_artifact_is_stored_and_read_in_pieces(store: Store, content: bytes) -> None:
    store.create_task("run")
    event = store.add_artifact("run", BytesIO(content), "report.html", actor="worker")
    (artifact,) = await listed(store, "run")
    assert (event.event_type, event.actor, event.origin) == ("artifact_stored", "worker", "server")
    assert (artifact.name, artifact.content_type, artifact.size) == ("report.html", "text/html", len(content))
    assert artifact.sha256 == hashlib.sha256(content).hexdigest()
    assert await read(store, artifact.sha256) == content


async def test_equal_contents_are_stored_once_and_deleted_with_the_last_task(store: Store) -> None:
    for task_id in ("a", "b"):
        store.create_task(task_id)
        await store.aadd_artifact(task_id, BytesIO(BIG), f"{task_id}.bin")
    (artifact,) = await listed(store, "a")
    await store.adelete_task("a")
    assert await read(store, artifact.sha256) == BIG
    await store.adelete_task("b")
    assert await read(store, artifact.sha256) is None
    async with store.read() as view:
        assert await view.content_piece("a", artifact.sha256, 0) is None


async def contents(store: Store) -> list[str]:
    """Return the hashes of all stored contents and pieces."""
    sql = "SELECT sha256 FROM artifact_contents UNION SELECT sha256 FROM artifact_pieces"
    return [sha256 for (sha256,) in await store.raw_rows.rows(sql)]  # type: ignore[attr-defined]


async def test_a_retry_with_the_same_key_stores_one_artifact(store: Store) -> None:
    store.create_task("run")
    first = store.add_artifact("run", BytesIO(b"1"), "a", key="upload-1")
    assert store.add_artifact("run", BytesIO(b"1"), "a", key="upload-1").seq == first.seq
    assert len(await listed(store, "run")) == 1


async def test_another_content_with_a_known_key_leaves_nothing(store: Store) -> None:
    store.create_task("run")
    first = store.add_artifact("run", BytesIO(b"1"), "a", key="upload-1")
    assert store.add_artifact("run", BytesIO(BIG), "a", key="upload-1").seq == first.seq
    assert await contents(store) == [hashlib.sha256(b"1").hexdigest()]
    assert store.add_artifact("run", BytesIO(BIG), "b", key="upload-2").seq == 2
    assert await read(store, hashlib.sha256(BIG).hexdigest()) == BIG


async def test_bad_artifacts_are_refused_and_leave_nothing(store: Store) -> None:
    store.create_task("run")
    with pytest.raises(TooLarge, match=r"big\.bin has 524,305 bytes, and an artifact may have at most 1,000"):
        store.add_artifact("run", BytesIO(BIG), "big.bin", limit=1000)
    for name, content_type in (("", None), ("a\nb", None), ("a", "html"), ("a", "text/html\r\nX: y")):
        with pytest.raises(InvalidEvent):
            store.add_artifact("run", BytesIO(b"1"), name, content_type=content_type)
    with pytest.raises(UnknownTask):
        store.add_artifact("none", BytesIO(b"1"), "a")
    with pytest.raises(UnknownTask):
        store.add_artifact("run", BytesIO(b"1"), "a", identity="another")
    assert await listed(store, "run") == []


async def test_an_emitter_cannot_claim_a_content_by_its_hash(store: Store) -> None:
    store.create_task("run")
    payload = {"name": "a", "sha256": hashlib.sha256(BIG).hexdigest(), "size": 1}
    store.append("run", NewEvent(event_type="artifact_stored", payload=payload))
    assert await listed(store, "run") == []


async def test_an_earlier_page_has_the_artifacts_of_that_time(store: Store) -> None:
    store.create_task("run")
    store.append("run", NewEvent(event_type="runner_spawn"))
    store.add_artifact("run", BytesIO(b"1"), "first")
    store.add_artifact("run", BytesIO(b"2"), "second")
    async with store.read() as view:
        past = PastReading(view, await History().state_at(view, "run", 2))
        assert [artifact.name for artifact in await past.artifacts("run")] == ["first"]
        assert (await past.task("run")).artifacts_total == 1
        assert [artifact.name for artifact in await view.artifacts("run")] == ["second", "first"]
        assert [artifact.name for artifact in await view.artifacts("run", before=3)] == ["first"]


async def test_a_queued_task_stays_queued(store: Store) -> None:
    store.create_task("run")
    store.add_artifact("run", BytesIO(b"1"), "input")
    async with store.read() as view:
        assert (await view.task("run")).status == "queued"


async def test_an_upload_survives_the_deletion_of_the_same_content(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for task_id in ("old", "new"):
        store.create_task(task_id)
    store.add_artifact("old", BytesIO(BIG), "a")
    begun = artifacts.begin
    once = threading.Event()

    def begin_then_delete(db, content):  # type: ignore[no-untyped-def]
        found = begun(db, content)
        if not once.is_set():
            once.set()
            # The last task with this content is deleted after the upload found it, and before it refers to it.
            db.execute("DELETE FROM task_artifacts WHERE task_id = 'old'")
            while artifacts._delete_pieces(db, content.sha256):
                pass
        return found

    monkeypatch.setattr(artifacts, "begin", begin_then_delete)
    store.add_artifact("new", BytesIO(BIG), "a")
    (artifact,) = await listed(store, "new")
    assert await read(store, artifact.sha256) == BIG


async def test_abandoned_uploads_are_deleted_by_the_next_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.create_task("run")
    monkeypatch.setattr(artifacts, "_finish", lambda *_: (_ for _ in ()).throw(KeyError("killed")))
    with pytest.raises(KeyError):
        store.add_artifact("run", BytesIO(BIG), "a")
    monkeypatch.undo()
    monkeypatch.setattr(artifacts, "ABANDONED_S", -10.0)
    store.add_artifact("run", BytesIO(b"other"), "b")
    async with store.read() as view:
        assert await view.content_piece("run", hashlib.sha256(BIG).hexdigest(), 0) is None


async def test_abandoned_uploads_are_deleted_with_the_rows_of_deleted_tasks(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create_task("run")
    monkeypatch.setattr(artifacts, "_finish", lambda *_: (_ for _ in ()).throw(KeyError("killed")))
    with pytest.raises(KeyError):
        store.add_artifact("run", BytesIO(BIG), "a")
    monkeypatch.setattr(artifacts, "ABANDONED_S", -10.0)
    store.remove_deleted()
    async with store.read() as view:
        assert await view.content_piece("run", hashlib.sha256(BIG).hexdigest(), 0) is None


async def test_other_appends_continue_during_an_upload(store: Store) -> None:
    store.create_task("run")
    upload = asyncio.create_task(store.aadd_artifact("run", BytesIO(os.urandom(20 * PIECE_BYTES)), "a"))
    appended_before_its_end = 0
    while not upload.done():
        await store.aappend("other", NewEvent(event_type="log"))
        appended_before_its_end += not upload.done()
    await upload
    assert appended_before_its_end > 3


def test_types_come_from_names_unless_given() -> None:
    assert type_of("a.md") == "text/markdown"
    assert type_of("a.tar.gz") == type_of("a") == "application/octet-stream"
    assert type_of("a", "Text/HTML; charset=utf-8") == "text/html"
