"""The contract that every kind of store answers; `tests/contract` holds each kind to it.

A store appends (in one transaction: event, seq, projections, counters) and reads (each `read()` is one consistent
view). An append has returned only when it is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ParamSpec, Protocol, Self, TypeVar

import msgspec

from signalbox.store.events import Event, NewEvent
from signalbox.store.people import People
from signalbox.store.state import Checkpoint, Permission, Phase, Span, Task, Unfinished
from signalbox.store.tasklist import SavedView, TaskQuery

P = ParamSpec("P")
T = TypeVar("T")


class Who(msgspec.Struct, frozen=True):
    """Who did something: as pages call them, and with their account and token. Without both it is somebody local."""

    name: str
    account_id: str | None = None
    token_id: str | None = None


class Head(msgspec.Struct, frozen=True):
    """Where a task's log stands: its newest seq (0 when empty) and the oldest one still kept; and whose log it is."""

    latest_seq: int
    earliest_seq: int
    identity: str = ""


class Standing(msgspec.Struct, frozen=True):
    """A task's newest seq, and what is kept beside its log; `unfinished` is when that last changed."""

    latest_seq: int
    archived: bool
    stale: bool
    unfinished: str = ""
    identity: str = ""


class TaskPage(msgspec.Struct, frozen=True):
    """One page of tasks; `cursor` is None on the last one."""

    tasks: list[Task]
    cursor: str | None
    event_id: int


class LogQuery(msgspec.Struct, frozen=True):
    """Which events of one log to find; what is empty leaves none out.

    `text` is looked for in the payload's JSON, across the terminal escapes in it, and in the event type, whatever the
    case of its letters. `level` and `stream`
    are those of the payload. `failures` finds what went wrong: see `store/schema/002_failures.sql`. Nothing is
    looked for after the seq `until`. `rows`, like `failures`, leaves out heartbeats, unless `event_type` asks
    for them.
    """

    text: str = ""
    event_type: str = ""
    phase: str = ""
    actor: str = ""
    level: str = ""
    stream: str = ""
    span_id: str = ""
    failures: bool = False
    rows: bool = False
    until: int | None = None


class LogHits(msgspec.Struct, frozen=True):
    """One page of the events that a LogQuery means, by seq. `total` counts all of them; `more` follow this page."""

    events: list[Event]
    total: int
    more: bool


class TaskRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a task is apart from its log. `main_span_id` is empty if the log itself names the main span."""

    task_id: str
    title: str | None = None
    kind: str | None = None
    metadata: dict[str, Any] = {}
    created_at: str
    main_span_id: str = ""


class TaskReading(Protocol):
    """What is read of one task, as it is or as it was: see `store/past.py`."""

    async def task(self, task_id: str) -> Task: ...
    async def unfinished(self, task_id: str) -> list[Unfinished]: ...

    def brief(self) -> Self:
        """The same view, whose events have payloads cut to what a page shows at first: see `Event.cut_from`."""

    async def events(self, task_id: str, since_seq: int = 0, limit: int = 100) -> list[Event]: ...
    async def latest_events(self, task_id: str, limit: int = 50, before: int | None = None) -> list[Event]: ...

    async def rows_before(self, task_id: str, before: int, limit: int = 100, since: int = 0) -> list[Event]:
        """The newest rows of the log above `since` and below `before`, by seq: its events without the heartbeats.

        `before` is at most one above the newest seq.
        """

    async def rows_after(self, task_id: str, since_seq: int, limit: int = 100) -> list[Event]:
        """The first rows of the log after a seq, by seq."""

    async def count_rows(self, task_id: str, until_seq: int) -> int:
        """How many rows the log has up to a seq of it."""

    async def events_of_types(
        self, task_id: str, types: Sequence[str], limit: int = 1000, *, naming: str = "", after: int = 0
    ) -> list[Event]: ...
    async def events_at(self, task_id: str, seqs: Sequence[int]) -> list[Event]: ...
    async def search(self, task_id: str, query: LogQuery, after: int = 0, limit: int = 100) -> LogHits: ...

    async def phases(self, task_id: str) -> list[Phase]: ...
    async def spans(self, task_id: str, after: int = 0, limit: int | None = None) -> list[Span]: ...
    async def span_window(self, task_id: str, open_limit: int, ended_limit: int) -> list[Span]: ...
    async def span(self, task_id: str, span_id: str) -> Span | None: ...
    async def span_children(self, task_id: str, span_id: str, limit: int) -> list[Span]: ...
    async def spans_changed(self, task_id: str, since_seq: int, limit: int) -> list[Span]: ...
    async def checkpoints(self, task_id: str, limit: int = 1000) -> list[Checkpoint]: ...
    async def checkpoint(self, task_id: str, checkpoint_id: str) -> Checkpoint | None: ...
    async def permission(self, task_id: str, request_id: str) -> Permission | None: ...
    async def permissions(
        self, task_id: str, *, open_only: bool = True, after: int = 0, limit: int | None = None
    ) -> list[Permission]: ...


class Reading(TaskReading, Protocol):
    """One consistent view of the store. Unknown tasks raise UnknownTask."""

    async def tasks(self, query: TaskQuery) -> TaskPage: ...
    async def count_by_status(
        self, projects: Sequence[str] | None = None, archived: bool | None = None
    ) -> dict[str, int]: ...
    async def count_stale(self, projects: Sequence[str] | None = None) -> int: ...
    async def count_archived(self, projects: Sequence[str] | None = None) -> int: ...
    async def project_names(self, projects: Sequence[str] | None = None) -> dict[str, str]: ...
    async def saved_views(self, projects: Sequence[str] | None = None) -> list[SavedView]:
        """Those of these projects (None: of any), and those of all."""

    async def head(self, task_id: str) -> Head: ...
    async def latest_seqs(self, task_ids: Sequence[str]) -> dict[str, int]: ...
    async def standings(self, task_ids: Sequence[str]) -> dict[str, Standing]: ...
    async def latest_event_id(self) -> int: ...

    async def telling_events(self, task_id: str, since_seq: int, until_seq: int, limit: int) -> list[Event]:
        """The events after `since_seq` up to `until_seq`, without those that only count: see `projections.apply`."""

    async def times(self, task_id: str, since_seq: int, until_seq: int) -> list[str]:
        """When each event after `since_seq` up to `until_seq` was appended."""

    async def events_after(
        self, event_id: int, limit: int = 1000, tasks: Sequence[str] = (), projects: Sequence[str] | None = None
    ) -> list[Event]: ...
    async def events_of_phase(self, task_id: str, phase: str, limit: int = 100, since_seq: int = 0) -> list[Event]: ...
    async def next_failure(self, task_id: str, after: int) -> int | None:
        """The seq of the first row after `after` that is a failure."""

    async def first_seq_at(self, task_id: str, at: str) -> int | None: ...

    async def open_spans(self, task_id: str, limit: int = 1000) -> list[Span]: ...
    async def open_permissions(
        self, limit: int = 200, projects: Sequence[str] | None = None, task_id: str | None = None, after: str = ""
    ) -> list[tuple[Task, Permission]]:
        """The open requests by the age of their tasks, those after the cursor `after`: see `place_of`."""

    async def expiring_permissions(
        self, after: tuple[str, str] = ("", ""), limit: int = 1000
    ) -> list[tuple[str, str, int, str, str, str]]:
        """The open requests that name a time, by task id and request id, after such a pair.

        Each is these two, its seq, its span id, the time, and the task's identity.
        """

    async def count_open_permissions(
        self, projects: Sequence[str] | None = None, task_id: str | None = None
    ) -> int: ...
    async def audits(
        self,
        task_id: str | None = None,
        limit: int = 200,
        before: int | None = None,
        projects: Sequence[str] | None = None,
        *,
        identity: str | None = None,
    ) -> list[dict[str, Any]]: ...
    async def audited_identity(self, task_id: str, projects: Sequence[str] | None = None) -> str | None:
        """The identity of the task with this id that was audited last in `projects`, also when it was deleted."""


class Peek(Protocol):
    """A cheap look at the end of the log, from one thread, which waits for it as long as a few events take to read."""

    def moved(self) -> bool:
        """Whether anybody committed since the last call. The first one says yes, and so does one after a failure."""

    def events_after(self, event_id: int, limit: int) -> list[Event]:
        """At most `limit` events after `event_id`, in commit order; after `moved()`."""

    def forget(self) -> None:
        """The next `moved()` says yes."""

    def close(self) -> None:
        """Let go of the database."""


class Store(Protocol):
    """An open store. Safe to use from any thread; `close()` when done."""

    url: str
    epoch: str

    @property
    def people(self) -> People:
        """Accounts, tokens, projects and their members."""

    @property
    def key(self) -> bytes | None:
        """What this store signs with: 32 random bytes that no route serves. None while others may read its file."""

    def create_task(
        self,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
        project_id: str | None = None,
    ) -> tuple[Task, bool]:
        """Create a task; the bool says whether it is new. A task that exists comes back as it is.

        Without `project_id` it belongs to the default project. Raises InvalidEvent for one that does not exist.
        """

    def append(
        self, task_id: str, events: NewEvent | Sequence[NewEvent], *, identity: str | None = None, own: bool = False
    ) -> list[Event]:
        """Append all of `events` to a task (made if new) or none. Returns them as stored, in order.

        With `identity` only to the task that has it: no task is made, and none that was made since is written to.
        `own` is for what the server itself says: such events have effect where others are claims. Raises UnknownTask,
        InvalidEvent, Conflict or StoreUnavailable; in each case nothing was written.
        """

    async def aappend(
        self, task_id: str, events: NewEvent | Sequence[NewEvent], *, identity: str | None = None, own: bool = False
    ) -> list[Event]:
        """`append` for asyncio: the loop is never blocked."""

    async def acreate_task(
        self,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
        project_id: str | None = None,
        alone: bool = False,
    ) -> tuple[Task, bool]:
        """`create_task` for asyncio; `alone`: while another of its kind and project is at work, that one comes back."""

    async def aappend_while(self, task_id: str, event: NewEvent, condition: Callable[[Task], bool]) -> Event | None:
        """Append one event if `condition` holds of the task in the very transaction; None if not. Raises UnknownTask.

        `condition` is called in another thread, once the append has waited for its turn.
        """

    def import_task(self, record: TaskRecord, events: Iterable[Event], project_id: str | None = None) -> Task:
        """Make a task with a whole log, all of it or nothing: seq, created_at and key stay, event_ids are new.

        The events must begin at seq 1 and have no gap. Raises InvalidEvent, or Conflict for a task that exists.
        """

    def delete_task(self, task_id: str) -> None:
        """Delete a task with its whole log. Its audits stay. Raises UnknownTask."""

    async def adelete_task(
        self, task_id: str, *, actor: str | Who, source: str | None = None, identity: str | None = None
    ) -> Task:
        """Delete a task for a person, with an audit; returns it as it was. `identity` as for `append`.

        Raises UnknownTask, and Conflict while the run goes on.
        """

    async def aarchive_task(
        self, task_id: str, archived: bool, *, actor: str | Who, source: str | None = None, identity: str | None = None
    ) -> Task:
        """Put a task away from the list, or back, with an audit if that changes anything. Raises UnknownTask."""

    async def amark_stale(self, task_id: str, latest_seq: int) -> bool:
        """Mark a running task as stale until its next event, unless there is one after `latest_seq` already."""

    async def aset_unfinished(self, task_id: str, lines: Sequence[Unfinished]) -> None:
        """Replace the unfinished lines of a task that is at work; they end with the run. Raises UnknownTask."""

    async def asave_view(
        self, name: str, filters: str, *, actor: str | Who, source: str | None = None, project_id: str | None = None
    ) -> SavedView:
        """Keep filters of the list under a name, with an audit. Raises Conflict for a name that is taken."""

    async def adelete_view(self, view_id: int, *, actor: str | Who, source: str | None = None) -> SavedView:
        """Forget a saved view, with an audit. Raises NotFound."""

    def audit(
        self,
        actor: str | Who,
        action: str,
        *,
        task_id: str | None = None,
        seq: int | None = None,
        source: str | None = None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        """Keep what a person did."""

    def append_audited(
        self,
        task_id: str,
        event: NewEvent,
        *,
        actor: str | Who,
        action: str,
        source: str | None = None,
        identity: str | None = None,
    ) -> Event:
        """`aappend_audited` for callers without a loop."""

    async def aappend_audited(
        self,
        task_id: str,
        event: NewEvent,
        *,
        actor: str | Who,
        action: str,
        source: str | None = None,
        identity: str | None = None,
    ) -> Event:
        """Append what a person did together with its audit, in one transaction: never one without the other.

        `actor` is the person, `source` where they did it from. The audit's detail is the event's payload. Raises
        UnknownTask (no task is made here), InvalidEvent, Conflict or StoreUnavailable.
        """

    async def awrite(self, write: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Call a blocking write of this store or of its `people` in a thread: `await store.awrite(store.audit, …)`.

        Its deadline counts from now, also while it waits for a thread.
        """

    def read(self) -> AbstractAsyncContextManager[Reading]:
        """A consistent view: `async with store.read() as view: …`. Keep it short; it holds a connection.

        Who holds a view must not request another one (NestedView): check rights and read people first.
        """

    def glance(self) -> AbstractAsyncContextManager[Reading]:
        """A view for one single question: cheaper than `read()`, and two answers of it need not agree."""

    def peek(self) -> Peek:
        """A look of one's own at what was committed last; to be closed by its owner."""

    @property
    def generation(self) -> int:
        """How often a database was opened here: more than once if the first one was lost. See also `epoch`."""

    def check(self) -> None:
        """Find out whether the open database is still the one that the URL names; if not, try to open that. Blocks.

        Until there is one everything raises StoreUnavailable.
        """

    def on_commit(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` (from any thread) after each commit of this process; returns how to stop it."""

    def close(self) -> None:
        """Write what waits, then let go of the database."""

    async def aclose(self) -> None:
        """`close` for asyncio; also closes the readers."""
