"""Test the signer: which heads it signs, with which key, and what a verification says about them."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from signalbox.store import NewEvent, Store, open_store
from signalbox.store.chain.findings import LogReport
from signalbox.store.chain.heads import SignedHead
from signalbox.store.chain.keys import BadKey, checking_key, create_key, public_path
from signalbox.store.loops import Loops
from signalbox.store.verification import open_source, verify_task
from signalbox.webapp.acts.head_signer import HeadSigner
from signalbox.webapp.settings import InvalidSetting, Settings

LINE, END = NewEvent(event_type="log"), NewEvent(event_type="runner_exit", payload={"exit_code": 0})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = open_store(f"sqlite:///{tmp_path / 'signalbox.db'}")
    yield found
    await found.aclose()


async def sign(store: Store, **settings: object) -> None:
    """Let a signer do one round."""
    signer = HeadSigner(store, Settings(**settings), Loops())  # type: ignore[arg-type]
    try:
        await signer.sign_new()
    finally:
        await signer.stop()


async def heads(store: Store, task_id: str = "run") -> list[SignedHead]:
    async with store.read() as view:
        return await view.signed_heads(task_id)


def report(store: Store, *keys: Path, must_be_signed: bool = False) -> LogReport:
    with open_source(store.url) as source:
        return verify_task(source, "run", keys=[checking_key(key) for key in keys], must_be_signed=must_be_signed)


async def test_a_head_is_signed_after_enough_events_and_at_the_end(store: Store) -> None:
    await store.aappend("run", [LINE] * 9)
    await sign(store, signing_interval=10)
    assert await heads(store) == []
    await store.aappend("run", [LINE] * 3)
    await sign(store, signing_interval=10)
    await store.aappend("run", [LINE, END])
    await sign(store, signing_interval=10)
    await sign(store, signing_interval=10)
    assert [(head.seq, head.reason) for head in await heads(store)] == [(12, "events"), (14, "end")]
    found = report(store, must_be_signed=True)
    assert (found.intact, found.signed_to, found.signed_by) == (True, 14, [store.log_key.key_id])


async def test_a_missing_end_and_a_wrong_signature_are_found(store: Store, tmp_path: Path) -> None:
    await store.aappend("run", [*[LINE] * 4, END])
    await sign(store)
    assert report(store, must_be_signed=True).intact
    with sqlite3.connect(tmp_path / "signalbox.db") as db:
        db.execute("DELETE FROM task_events WHERE seq > 3")
        db.execute("UPDATE task_event_seq_counters SET last_seq = 3")
        db.execute("UPDATE tasks SET link = (SELECT link FROM task_events WHERE seq = 3)")
    db.close()
    assert [fault.kind for fault in report(store).faults] == ["missing_end"]
    with sqlite3.connect(tmp_path / "signalbox.db") as db:
        db.execute("UPDATE signed_heads SET seq = 3")
    db.close()
    assert [fault.kind for fault in report(store).faults] == ["signature", "head"]
    with sqlite3.connect(tmp_path / "signalbox.db") as db:
        db.execute("DELETE FROM signed_heads")
    db.close()
    assert report(store).intact
    assert [fault.kind for fault in report(store, must_be_signed=True).faults] == ["unsigned"]


async def test_a_key_that_is_kept_elsewhere_shows_a_log_that_was_rewritten(store: Store, tmp_path: Path) -> None:
    key, other = tmp_path / "key.pem", tmp_path / "other.pem"
    create_key(key)
    create_key(other)
    assert key.stat().st_mode & 0o777 == 0o600
    await store.aappend("run", [LINE, END])
    await sign(store, signing_key=str(key))
    found = report(store, public_path(key), must_be_signed=True)
    assert (found.intact, found.signed_by) == (True, [checking_key(key).key_id])
    assert (report(store).unchecked, report(store, other).unchecked) == (1, 1)
    assert not report(store, other, must_be_signed=True).intact
    with sqlite3.connect(tmp_path / "signalbox.db") as db:
        db.execute("UPDATE signed_heads SET signature = ?", (checking_key(other).sign(b"forged"),))  # type: ignore[attr-defined]
    db.close()
    assert [fault.kind for fault in report(store, public_path(key)).faults] == ["signature"]


async def test_a_published_head_shows_a_log_that_was_rewritten_with_all_its_links(store: Store, tmp_path: Path) -> None:
    await store.aappend("run", [LINE, END])
    await sign(store)
    published = await heads(store)
    identity = published[0].identity
    await store.adelete_task("run")
    await store.aappend("run", [NewEvent(event_type="log", payload={"message": "another"}), END])
    with sqlite3.connect(tmp_path / "signalbox.db") as db:
        db.execute("UPDATE task_event_seq_counters SET identity = ?", (identity,))
    db.close()
    assert report(store).intact
    with open_source(store.url) as source:
        found = verify_task(source, "run", published)
    assert [fault.kind for fault in found.faults] == ["head"]


def test_a_bad_signing_key_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="cannot read the key"):
        Settings(signing_key=str(tmp_path / "none.pem"))
    (tmp_path / "bad.pem").write_text("no key")
    with pytest.raises(InvalidSetting, match="is not a private key"):
        Settings(signing_key=str(tmp_path / "bad.pem"))
    create_key(tmp_path / "key.pem")
    for existing in (tmp_path / "key.pem", Path(), Path("/")):
        with pytest.raises(BadKey, match="there is a file"):
            create_key(existing)
