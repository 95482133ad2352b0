"""The values that a store takes and returns, apart from events (`store.events`) and states (`store.state`)."""

from __future__ import annotations

from typing import Any

import msgspec

from signalbox.store.events import Event
from signalbox.store.state import Flags, Hold, Task


class Who(msgspec.Struct, frozen=True):
    """The person behind an action. Without an account and a token, it is a user of the machine itself."""

    name: str
    account_id: str | None = None
    token_id: str | None = None


class Head(msgspec.Struct, frozen=True):
    """The ends of a task's log, and the identity of the task.

    `latest_seq` is the seq of the newest event, 0 for an empty log. `earliest_seq` is that of the oldest event, or
    `latest_seq + 1` for an empty log.
    """

    latest_seq: int
    earliest_seq: int
    identity: str = ""


class Standing(msgspec.Struct, frozen=True):
    """A task's newest seq, and its state that is stored outside its log.

    `unfinished` is the timestamp of the last change of the unfinished lines, or "" if they never changed. `erased_at`
    is the time when an event was last erased, or "".
    """

    latest_seq: int
    archived: bool
    stale: bool
    unfinished: str = ""
    identity: str = ""
    hold: Hold | None = None
    erased_at: str = ""
    cold: bool = False

    @property
    def flags(self) -> Flags:
        """The state outside the log that frames show: archived, stale, the hold, in cold storage."""
        return self.archived, self.stale, self.hold, self.cold


class TaskPage(msgspec.Struct, frozen=True):
    """One page of tasks. `cursor` is the `TaskQuery.before` of the next page, None on the last page.

    `event_id` is the newest event id when the page was read.
    """

    tasks: list[Task]
    cursor: str | None
    event_id: int


class SameError(msgspec.Struct, frozen=True):
    """How often the error of a run occurred: in `runs` runs of its project, counting itself.

    `since` is the creation time of the first of them, and `archived` the number of those that are archived. `more` says
    that there are more than `runs`.
    """

    fingerprint: str
    runs: int
    since: str
    more: bool = False
    archived: int = 0


class RunFacts(msgspec.Struct, frozen=True):
    """Short facts of a run, for pages that show many. `duration` is in seconds, None until the run has ended."""

    kind: str
    task_id: str
    status: str
    title: str | None
    created_at: str
    duration: float | None


class Facets(msgspec.Struct, frozen=True):
    """The numbers of tasks that a filter of the list would leave, by its value.

    Each is counted with the other filters of the query: `kinds` with its status and project, but not with its kind.
    `stale` is counted like a status. `tags` has the name, value and number of each tag, counted with all filters.
    Values without tasks are absent, and the largest numbers come first.
    """

    statuses: dict[str, int]
    kinds: dict[str, int]
    projects: dict[str, int]
    tags: list[tuple[str, str, int]]
    stale: int


class LogQuery(msgspec.Struct, frozen=True):
    """A filter for the events of one log. An empty field does not restrict the result.

    `text` is searched for, ignoring case, in the event type and in the payload's JSON, with and without terminal escape
    sequences. `level` and `stream` are fields of the payload. `failures` finds events that report a failure, as defined
    in `002_failures.sql`, and the lines of output that say why the run failed. `conversation` finds
    the events of the conversation, and of a streamed answer the first piece. `since` and `until` are the first and the
    last seq to search. `rows` and `failures` leave out heartbeats, unless `event_type` is that of heartbeats.
    """

    text: str = ""
    event_type: str = ""
    phase: str = ""
    actor: str = ""
    level: str = ""
    stream: str = ""
    span_id: str = ""
    failures: bool = False
    conversation: bool = False
    rows: bool = False
    since: int | None = None
    until: int | None = None


class LogHits(msgspec.Struct, frozen=True):
    """One page of the events that a `LogQuery` finds, by seq.

    `total` counts the events of all pages. `more` says whether there are more after this page.
    """

    events: list[Event]
    total: int
    more: bool


class ConversationEntry(msgspec.Struct, frozen=True):
    """An event of a conversation, or with `pieces` the pieces of one streamed answer.

    The pieces are the events of the span with seqs from `first_seq` to `last_seq`.
    """

    first_seq: int
    last_seq: int
    span_id: str
    pieces: bool = False


class TaskRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A task without its log, for an import.

    `main_span_id` is empty if the log itself names the main span.
    """

    task_id: str
    title: str | None = None
    kind: str | None = None
    metadata: dict[str, Any] = {}
    created_at: str
    main_span_id: str = ""


class ColdTask(msgspec.Struct, frozen=True):
    """A task whose log is in a file of cold storage.

    `name` is the file at `place`, a directory or the URL of a bucket; '' is the directory beside the SQLite file.
    `stage` is `clearing` or `restoring` while rows are removed from the database or written to it, else `cold`. A task
    without events has the event ids 0.
    """

    task_id: str
    identity: str
    stage: str
    place: str
    name: str
    bytes: int
    sha256: str
    events: int
    first_event_id: int
    last_event_id: int
    moved_at: str


class ColdCounts(msgspec.Struct, frozen=True):
    """The tasks in cold storage, counting the `unfinished` ones on their way there or back, and their files' bytes."""

    tasks: int
    bytes: int
    unfinished: int


class MovableTask(msgspec.Struct, frozen=True):
    """A task that ended and whose log is in the database. `active_at` is the time of its last event, to the second."""

    task_id: str
    identity: str
    project_id: str
    kind: str | None
    active_at: str


class StoreStats(msgspec.Struct, frozen=True):
    """Counters of a store in this process.

    `waiting` is the number of writes that wait for a transaction, `commits` the number of transactions committed since
    the store was opened, and `views` the number of views that are held.
    """

    waiting: int
    commits: int
    views: int
