"""Findings of `signalbox doctor`, and the comparison of a task with its log, which is the same for every database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from signalbox.store.history import before_first_event
from signalbox.store.projections import apply
from signalbox.store.sql.dialect import Dialect
from signalbox.store.sql.rows import COLUMNS, event_of
from signalbox.store.state import Checkpoint, Permission, Phase, SentMessage, Span, Task, TaskState

MAX_FINDINGS = 20
"""Findings of one kind that are reported individually."""

REIMPORT = (
    "export the task (export.ndjson?full=1), delete it, and import the file: this rebuilds its pages from its log"
)

_NOT_FROM_THE_LOG = ("archived_at", "stale", "hold")
_TABLES: tuple[tuple[str, type[Any], str, str], ...] = (
    ("task_phases", Phase, "phases", "phase"),
    ("task_spans", Span, "spans", "span_id"),
    ("task_checkpoints", Checkpoint, "checkpoints", "checkpoint_id"),
    ("task_permissions", Permission, "permissions", "request_id"),
    ("task_messages", SentMessage, "messages", "seq"),
)

Query = Callable[[str, tuple[object, ...]], Iterable[Any]]
"""Runs a query with its values, which are marked by `?`, and returns its rows."""


class Finding(NamedTuple):
    """A fault, and the advice for it."""

    code: str
    message: str
    advice: str


def compare_tasks(query: Query, dialect: Dialect, unreadable: type[Exception], advice: str) -> Iterator[Finding]:
    """Yield a finding for each task whose stored state differs from the fold of its log.

    `unreadable` is the error of a query that cannot read the task, and `advice` the advice for it.
    """
    reported = 0
    # The ids are read from an index, so a row that cannot be read is a finding about its task only.
    for (task_id,) in list(query("SELECT task_id FROM tasks ORDER BY task_id", ())):
        try:
            wrong = _differences(query, task_id, dialect)
        except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
            wrong = [f"its stored state cannot be read ({error})"]
        except unreadable as error:
            yield Finding("damaged", f"task {task_id} cannot be read: {error}", advice)
            continue
        if wrong:
            reported += 1
            if reported > MAX_FINDINGS:
                yield Finding("projection", "more tasks differ from their log", REIMPORT)
                return
            yield Finding("projection", f"task {task_id} differs from its log: {', '.join(wrong)}", REIMPORT)


def _differences(query: Query, task_id: str, dialect: Dialect) -> list[str]:
    """Return the names of the stored fields and parts of a task that differ from the fold of its log.

    Those of a task in cold storage are not compared.
    """
    ((stored, cold),) = query("SELECT state, cold FROM tasks WHERE task_id = ?", (task_id,))
    if cold:
        return []
    task = msgspec.json.decode(stored, type=Task)
    state = TaskState(task=before_first_event(task))
    for row in query(f"SELECT {COLUMNS} FROM task_events WHERE task_id = ? ORDER BY seq", (task_id,)):
        apply(state, event_of(row))
    if not task.conversation_seq:
        _forget_model_calls(state)
    fields, folded = (msgspec.structs.asdict(task_value) for task_value in (task, state.task))
    wrong = [name for name in fields if name not in _NOT_FROM_THE_LOG and fields[name] != folded[name]]
    for table, kind, noun, key in _TABLES:
        rows = query(f"SELECT {key}, state FROM {table} WHERE task_id = ?", (task_id,))
        found = {dialect.restored(str(name)): msgspec.json.decode(text, type=kind) for name, text in rows}
        if found != {dialect.stored_key(str(name)): part for name, part in getattr(state, noun).items()}:
            wrong.append(noun)
    return wrong


def _forget_model_calls(state: TaskState) -> None:
    """Remove what versions before the conversation did not project."""
    state.task.conversation_seq, state.task.usage, state.task.tally = 0, None, None
    for span in state.spans.values():
        span.model = span.usage = span.tally = None
