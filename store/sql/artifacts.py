"""Storage of artifacts: their contents in pieces, each written or deleted in a transaction of its own.

A content is complete once an artifact refers to it. Until then its pieces may be deleted by another process, so the
transaction that appends the event checks that all of them are there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO, TypeVar

from signalbox.store.artifacts import ArtifactContent, pieces_of
from signalbox.store.errors import Conflict, InvalidEvent
from signalbox.store.events import Event
from signalbox.store.sql.database import Database
from signalbox.store.times import epoch_seconds, timestamp

PIECE_WEIGHT = 500
"""The weight of a piece for the group commit, in events: few pieces share a transaction."""

DELETED_PIECES = 8
"""Pieces that one transaction deletes."""

ABANDONED_S = 3600.0
"""Seconds after which an upload that is not complete counts as abandoned."""

ATTEMPTS = 3

T = TypeVar("T")
Run = Callable[[Callable[[Database], T], int], T]
"""Runs work of a weight in a transaction, and waits for its commit."""

_REFERRED = "EXISTS (SELECT 1 FROM task_artifacts AS used WHERE used.sha256 = ?)"


def store(run: Run[Any], file: BinaryIO, content: ArtifactContent, finish: Callable[[Database], Event]) -> Event:
    """Write the pieces of a content that are missing, then append the event with `finish`."""
    for _ in range(ATTEMPTS):
        if not run(lambda db: begin(db, content), 1):
            for number, piece in enumerate(pieces_of(file)):
                run(piece_writer(content, number, piece), PIECE_WEIGHT)
        event: Event | None = run(lambda db: _finish(db, content, finish), 1)
        if event is not None:
            sweep(run)
            return event
    raise Conflict("another process deletes this content again and again; try it later")


def piece_writer(content: ArtifactContent, number: int, piece: bytes) -> Callable[[Database], None]:
    """Return the work that writes a piece of a content."""

    def write(db: Database) -> None:
        sql = "INSERT INTO artifact_pieces (sha256, number, content) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        db.execute(sql, (content.sha256, number, piece))

    return write


def begin(db: Database, content: ArtifactContent) -> bool:
    """Return whether the whole content is stored; if not, note that it is being written."""
    row = db.execute("SELECT complete FROM artifact_contents WHERE sha256 = ?", (content.sha256,)).fetchone()
    if row is not None and row[0]:
        return True
    db.execute(
        "INSERT INTO artifact_contents (sha256, size, complete, begun_at) VALUES (?, ?, 0, ?)"
        " ON CONFLICT (sha256) DO UPDATE SET begun_at = excluded.begun_at",
        (content.sha256, content.size, db.now()),
    )
    return False


def _finish(db: Database, content: ArtifactContent, finish: Callable[[Database], Event]) -> Event | None:
    """Append the event if the content is stored as a whole; else return None."""
    if not complete(db, content):
        return None
    event = finish(db)
    # For a key that is stored already, this is the event of an earlier upload, whose content may be another one.
    abandon(db, [content.sha256])
    return event


def complete(db: Database, content: ArtifactContent) -> bool:
    """Note that a content is stored as a whole, if it is. Return whether it is."""
    found = db.execute("SELECT count(*) FROM artifact_pieces WHERE sha256 = ?", (content.sha256,)).fetchone()
    if found[0] > content.pieces:
        raise InvalidEvent("the file changed while it was read", "content")
    whole: bool = found[0] == content.pieces
    db.execute("UPDATE artifact_contents SET complete = ? WHERE sha256 = ?", (int(whole), content.sha256))
    return whole


def remove_one(db: Database, task_id: str) -> bool:
    """Delete some pieces of the first artifact of a task, or its row once they are gone. Return whether there was one.

    A content to which other artifacts refer is kept. The row is deleted last, so that an interrupted removal can be
    continued.
    """
    sql = "SELECT seq, sha256 FROM task_artifacts WHERE task_id = ? ORDER BY seq LIMIT 1"
    found = db.execute(sql, (task_id,)).fetchone()
    if found is None:
        return False
    seq, sha256 = found
    others = "SELECT count(*) FROM (SELECT 1 FROM task_artifacts WHERE sha256 = ? LIMIT 2) AS found"
    if db.execute(others, (sha256,)).fetchone()[0] > 1 or not _delete_pieces(db, sha256):
        db.execute("DELETE FROM task_artifacts WHERE task_id = ? AND seq = ?", (task_id, seq))
    return True


def delete_unused(run: Run[Any], contents: list[str]) -> None:
    """Delete those of the contents to which no artifact refers any more."""
    for sha256 in contents:
        while run(partial(_delete_unused_pieces, sha256=sha256), 1):
            pass


def abandon(db: Database, contents: list[str]) -> None:
    """Mark those of the contents to which no artifact refers, so that `sweep` deletes them if nobody does it before."""
    for sha256 in contents:
        if not db.execute(f"SELECT {_REFERRED}", (sha256,)).fetchone()[0]:
            db.execute("UPDATE artifact_contents SET complete = 0, begun_at = '' WHERE sha256 = ?", (sha256,))


def sweep(run: Run[Any]) -> None:
    """Delete the pieces of abandoned uploads, and of contents that a killed process had to delete."""
    delete_unused(run, run(_abandoned, 1))


def _abandoned(db: Database) -> list[str]:
    before = timestamp(max(0.0, epoch_seconds(db.now()) - ABANDONED_S))
    sql = "SELECT sha256 FROM artifact_contents WHERE complete = 0 AND begun_at < ? LIMIT 10"
    return [row[0] for row in db.execute(sql, (before,)).fetchall()]


def _delete_unused_pieces(db: Database, sha256: str) -> bool:
    """Delete some pieces of a content unless an artifact uses it. Return whether there are more."""
    if db.execute(f"SELECT {_REFERRED}", (sha256,)).fetchone()[0]:
        return False
    return _delete_pieces(db, sha256)


def _delete_pieces(db: Database, sha256: str) -> bool:
    """Delete some pieces of a content. Return whether there are more."""
    sql = "SELECT number FROM artifact_pieces WHERE sha256 = ? ORDER BY number DESC LIMIT ?"
    numbers = [row[0] for row in db.execute(sql, (sha256, DELETED_PIECES)).fetchall()]
    if not numbers:
        db.execute("DELETE FROM artifact_contents WHERE sha256 = ?", (sha256,))
        return False
    db.execute("UPDATE artifact_contents SET complete = 0 WHERE sha256 = ?", (sha256,))
    db.execute("DELETE FROM artifact_pieces WHERE sha256 = ? AND number >= ?", (sha256, numbers[-1]))
    return True
