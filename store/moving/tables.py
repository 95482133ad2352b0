"""The tables that a move copies, with their columns in the form that both kinds of databases share.

A column is written `name:kind`, with `?` for a column that may be NULL. The kinds:

- `int`, `real`, `bool`: numbers; a `bool` is read as 0 or 1.
- `text`: a text. PostgreSQL stores another character for a NUL in it.
- `bytes`: any bytes.
- `json`: a text that never contains a NUL, so each kind of database stores it as it is.
- `key`: a text that PostgreSQL shortens if it is too long for an index. The table's `state` has the full text.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Row = tuple[Any, ...]


class Column(NamedTuple):
    """A column, whose values have one of the kinds above."""

    name: str
    kind: str
    optional: bool


class Table(NamedTuple):
    """A table. `key` are the columns of its primary key.

    `changed` is the column of a part of a task that grows with every change of a row: a row that is already copied has
    changed since only if its value is above the seq up to which the task was copied.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    changed: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def places(self, *names: str) -> tuple[int, ...]:
        """Return the indexes of these columns in a row."""
        return tuple(self.names.index(name) for name in names)


def _table(name: str, columns: str, *key: str, changed: str | None = None) -> Table:
    parsed = []
    for column in columns.split():
        column_name, _, kind = column.partition(":")
        parsed.append(Column(column_name, kind.rstrip("?"), kind.endswith("?")))
    return Table(name, tuple(parsed), key, changed)


EVENTS = _table(
    "task_events",
    "event_id:int task_id:text seq:int event_type:text phase:text? actor:text span_id:text parent_span_id:text?"
    " payload:json created_at:text key:text? origin:text? occurred_at:text? quiet:int? plain:json? link:bytes?",
    "event_id",
)

TASKS = _table(
    "tasks",
    "task_id:text identity:text last_seq:int created_at:text updated_at:text active_at:text archived_at:text?"
    " status:text stale:bool title:text? kind:text? project_id:text duration:real? fingerprint:text?"
    " failure_lines:json? cold:int? hold:json? state:json link:bytes?"
    " erased_at:text?",
    "task_id",
)

STANDING = (
    "task_id",
    "identity",
    "last_seq",
    "archived_at",
    "stale",
    "updated_at",
    "project_id",
    "fingerprint",
    "cold",
    "hold",
    "erased_at",
)
"""The columns of `tasks` that tell whether a row has changed: every change of a task changes one of them."""

REWRITING = ("identity", "cold", "erased_at")
"""Those whose change also changes events or parts that may be copied already: another task has the id, the log moved to
cold storage or back, or events were erased."""

PARTS = (
    _table(
        "task_phases",
        "task_id:text phase:text first_seq:int changed_seq:int state:json",
        *("task_id", "phase"),
        changed="changed_seq",
    ),
    _table(
        "task_spans",
        "task_id:text span_id:text parent_span_id:text? started_seq:int ended_seq:int? open:int changed_seq:int"
        " state:json",
        *("task_id", "span_id"),
        changed="changed_seq",
    ),
    _table(
        "task_checkpoints",
        "task_id:text checkpoint_id:key seq:int changed_seq:int state:json",
        *("task_id", "checkpoint_id"),
        changed="changed_seq",
    ),
    _table(
        "task_permissions",
        "task_id:text request_id:key seq:int open:int changed_seq:int state:json",
        *("task_id", "request_id"),
        changed="changed_seq",
    ),
    _table(
        "task_messages",
        "task_id:text seq:int open:int changed_seq:int state:json",
        *("task_id", "seq"),
        changed="changed_seq",
    ),
    _table(
        "task_heartbeats",
        "task_id:text first_seq:int last_seq:int before:int",
        *("task_id", "first_seq"),
        changed="last_seq",
    ),
    _table(
        "task_conversation",
        "task_id:text first_seq:int last_seq:int span_id:text pieces:int",
        *("task_id", "first_seq"),
        changed="last_seq",
    ),
    _table(
        "task_artifacts",
        "task_id:text seq:int sha256:text state:json",
        *("task_id", "seq"),
        changed="seq",
    ),
    _table(
        "task_tags",
        "task_id:text name:text value:text? created_at:text changed_seq:int",
        *("task_id", "name"),
        changed="changed_seq",
    ),
)
"""The parts of tasks, which grow with the log. Only what changes a column of `REWRITING` deletes rows, or changes one
without raising the value of `Table.changed`."""

AUDITS = _table(
    "task_audits",
    "audit_id:int at:text actor:text account_id:text? token_id:text? action:text task_id:text? project_id:text?"
    " identity:text? seq:int? source:text? detail:json",
    "audit_id",
)
"""Rows are added in the order of `audit_id`. Only an erasure changes rows, some of those of its task."""

WHOLE = (
    _table("projects", "project_id:text name:text created_at:text agent:text?", "project_id"),
    _table(
        "accounts",
        "account_id:text email:text password_hash:text admin:bool created_at:text disabled_at:text?",
        "account_id",
    ),
    _table("project_members", "project_id:text account_id:text role:text", "project_id", "account_id"),
    _table(
        "access_tokens",
        "token_id:text name:text digest:text account_id:text? project_id:text? scopes:text created_at:text"
        " expires_at:text? revoked_at:text? events_per_minute:int? bytes_per_minute:int?",
        "token_id",
    ),
    _table("login_sessions", "digest:text account_id:text created_at:text expires_at:text", "digest"),
    _table("login_links", "digest:text account_id:text purpose:text created_at:text expires_at:text", "digest"),
    _table("saved_views", "view_id:int name:text filters:text created_at:text project_id:text?", "view_id"),
    _table("consumers", "name:text epoch:text position:int holder:text? expires_at:text renewals:int", "name"),
    _table(
        "login_attempts",
        "attempt_id:text budget:text at:real expires_at:real",
        *("budget", "attempt_id"),
    ),
    _table("login_places", "place:text at:real", "place"),
    _table("space_samples", "day:text space:json", "day"),
    _table("task_unfinished", "task_id:text lines:json updated_at:text", "task_id"),
    _table(
        "cold_tasks",
        "task_id:text identity:text stage:text place:text name:text bytes:int? sha256:text? events:int?"
        " first_event_id:int? last_event_id:int? moved_at:text? last_line:text? holder:text? held_until:text?",
        "task_id",
    ),
    _table(
        "signed_heads",
        "task_id:text seq:int reason:text key_id:text identity:text link:bytes signed_at:text signature:text",
        *("task_id", "seq", "reason", "key_id", "identity"),
    ),
    _table("redacted_events", "task_id:text seq:int digest:bytes", "task_id", "seq"),
    _table("artifact_contents", "sha256:text size:int complete:int begun_at:text", "sha256"),
)
"""The tables whose rows may change in any way. They are small, so they are compared as a whole. A row refers only to
rows of earlier tables."""

OF_LOGS = (EVENTS, *(part for part in PARTS if part.name not in ("task_tags", "task_permissions")))
"""The tables whose rows cold storage moves to a file. It leaves those that lists of all tasks read."""

OF_TASKS = (EVENTS, TASKS, *PARTS)
"""The tables that have the rows of a task, except its audits, which outlive it."""

PIECES = _table("artifact_pieces", "sha256:text number:int content:bytes", *("sha256", "number"))
"""The pieces of artifacts. A piece never changes, so its key and its length identify it."""

ALL = (*OF_TASKS, AUDITS, *WHOLE, PIECES)

COUNTED = ("task_events", "task_audits", "saved_views")
"""The tables that never use an id again: their last id is moved too."""

NOT_MOVED = {
    "migrations": "the schema of each database",
    "migration_marks": "the schema of each database",
    "store_facts": "moved fact by fact; see LOCAL_FACTS",
    "task_event_seq_counters": "columns of `tasks` here",
    "task_removals": "a move leaves out the rows of deleted tasks",
    "task_sizes": "the server measures the tasks again",
    "tasks_to_fold": "empty in a database that is open",
    "server_processes": "the processes that serve one database",
    "process_counts": "the processes that serve one database",
    "search_blocks": "the index of the search, which every database fills from its own log",
    "search_documents": "the index of the search",
    "search_parts": "the index of the search",
    "search_changed": "the index of the search",
    "search_times": "the index of the search",
    "search_state": "the index of the search",
    "log_position": "the last event id is moved; the number of commits is the database's own",
    "recent_commits": "the transactions of one database",
}
"""The other tables, and why they are not copied."""

LOCAL_FACTS = (
    *("identity", "room", "retention", "compressed_payloads", "search_changes"),
    *("moving_from", "moved_from", "moved_to"),
)
"""The rows of `store_facts` that belong to one database."""
