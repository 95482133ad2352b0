"""The index of a task's conversation: where in a long log its model calls, tool calls and permission requests are.

A row of `task_conversation` is one event, or consecutive pieces of a streamed answer of one span. So a page finds the
newest blocks without reading the log, however many tokens an answer has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from signalbox.store.contract.values import ConversationEntry
from signalbox.store.events import Event
from signalbox.store.model_calls.pieces import is_piece
from signalbox.store.projections.conversation import ALWAYS, belongs
from signalbox.store.sql.database import Database
from signalbox.store.state import TaskState

NEWEST = (
    "SELECT first_seq, last_seq, span_id, pieces FROM task_conversation WHERE task_id = ? AND first_seq < ?"
    " ORDER BY first_seq DESC LIMIT ?"
)
# A single condition would make SQLite read the whole conversation, newest first, instead of that of the spans.
NEWEST_OF_SPANS = (
    "SELECT first_seq, last_seq, span_id, pieces FROM task_conversation WHERE task_id = ? AND first_seq IN"
    " (SELECT first_seq FROM task_conversation WHERE task_id = ? AND {among} AND first_seq < ?)"
    " ORDER BY first_seq DESC LIMIT ?"
)

_RECORD_PIECES = """
INSERT INTO task_conversation
SELECT
  new.task_id,
  CASE WHEN last.pieces = 1 THEN last.first_seq ELSE new.first_seq END,
  new.last_seq,
  new.span_id,
  1
FROM (SELECT ? AS task_id, ? AS first_seq, ? AS last_seq, ? AS span_id) AS new
  LEFT JOIN task_conversation AS last ON last.task_id = new.task_id AND last.first_seq = (
    SELECT max(first_seq) FROM task_conversation WHERE task_id = ? AND span_id = ? AND first_seq < ?
  )
WHERE TRUE
ON CONFLICT (task_id, first_seq) DO UPDATE SET last_seq = excluded.last_seq
"""
_INSERT = "INSERT INTO task_conversation (task_id, first_seq, last_seq, span_id, pieces) VALUES (?, ?, ?, ?, ?)"


class Entries:
    """Collects the entries of events in the order of the log."""

    def __init__(self) -> None:
        self.found: list[ConversationEntry] = []
        self._last: dict[str, int] = {}

    def add(self, state: TaskState, event: Event) -> None:
        """Add an event, after it was folded into `state`, if it belongs to the conversation."""
        if not state.task.conversation_seq or not belongs(event, state.spans.get(event.span_id)):
            return
        pieces = event.event_type not in ALWAYS and is_piece(event.event_type, event.payload)
        at = self._last.get(event.span_id)
        if pieces and at is not None and self.found[at].pieces:
            self.found[at] = msgspec.structs.replace(self.found[at], last_seq=event.seq)
            return
        self._last[event.span_id] = len(self.found)
        self.found.append(ConversationEntry(event.seq, event.seq, event.span_id, pieces))


def record(db: Database, task_id: str, entries: Sequence[ConversationEntry]) -> None:
    """Record events that were just appended to a task. Pieces continue the last entry of their span."""
    record_all(db, task_id, [one for one in entries if not one.pieces])
    pieces = [
        (task_id, one.first_seq, one.last_seq, one.span_id, task_id, one.span_id, one.first_seq)
        for one in entries
        if one.pieces
    ]
    if pieces:
        db.executemany(_RECORD_PIECES, pieces)


def record_all(db: Database, task_id: str, entries: Iterable[ConversationEntry]) -> None:
    """Record entries, each of which is complete."""
    rows = [(task_id, one.first_seq, one.last_seq, one.span_id, int(one.pieces)) for one in entries]
    if rows:
        db.executemany(_INSERT, rows)
