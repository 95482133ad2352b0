"""What changes a store. Each method is one transaction: it happens as a whole or not at all.

Every method raises StoreUnavailable if the database cannot be written, and StoreDamaged if what it needs is damaged;
nothing is written then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar

from signalbox.store.contract.values import TaskRecord, Who
from signalbox.store.events import Event, NewEvent
from signalbox.store.state import Task, Unfinished
from signalbox.store.tasklist import SavedView

P = ParamSpec("P")
T = TypeVar("T")


class Writing(Protocol):
    """The writes of a store.

    `identity`, where a method takes it, is the identity of the task that is meant. If a task with the same id but
    another identity has taken its place, or none is there, the method raises UnknownTask. `actor` is the person who
    acts, and `source` is where they act from; both go into the audit.
    """

    # tasks

    def create_task(
        self,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
        project_id: str | None = None,
    ) -> tuple[Task, bool]:
        """Create a task, and return it and True. A task that exists is returned unchanged, with False.

        Without `task_id` it gets a new ULID, without `project_id` the default project. Raises InvalidEvent for a bad
        value or a project that does not exist.
        """

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
        """`create_task` for asyncio.

        With `alone`, if a task of the same kind and project has not ended, that one is returned instead, with False.
        """

    def import_task(self, record: TaskRecord, events: Iterable[Event], project_id: str | None = None) -> Task:
        """Create a task with a whole log. Events keep seq, created_at and key, and get new event ids.

        The events must begin at seq 1 and have no gap. Raises InvalidEvent, or Conflict for a task that exists.
        """

    def delete_task(self, task_id: str) -> None:
        """Delete a task with its whole log, whatever its status. Its audits stay. Raises UnknownTask."""

    async def adelete_task(
        self, task_id: str, *, actor: str | Who, source: str | None = None, identity: str | None = None
    ) -> Task:
        """Delete a task with its whole log for a person, with an audit. Its audits stay. Returns the deleted task.

        Raises UnknownTask, and Conflict for a task that is running or waiting.
        """

    async def aarchive_task(
        self, task_id: str, archived: bool, *, actor: str | Who, source: str | None = None, identity: str | None = None
    ) -> Task:
        """Archive a task (False: take it back from the archive), with an audit. Returns the task. Raises UnknownTask.

        A task that is already so stays as it is, without an audit.
        """

    async def amark_stale(self, task_id: str, latest_seq: int) -> bool:
        """Mark a running task as stale until its next event, and return True.

        Returns False, and changes nothing, if the task has an event after `latest_seq`, is not running or is stale
        already. Raises UnknownTask.
        """

    async def aset_unfinished(self, task_id: str, lines: Sequence[Unfinished]) -> None:
        """Replace the unfinished lines of a task. They are dropped when the run ends. Raises UnknownTask."""

    # events

    def append(
        self, task_id: str, events: NewEvent | Sequence[NewEvent], *, identity: str | None = None, own: bool = False
    ) -> list[Event]:
        """Append all of `events` to a task, or none. Returns them as stored, in order.

        A task that does not exist is created, unless `identity` is given. An event whose `key` the task already has is
        not stored again: the stored one is returned. `own` marks events of the server itself, which have effect
        where those of emitters are claims (see `events.is_claim`). Raises UnknownTask, InvalidEvent or Conflict.
        """

    async def aappend(
        self, task_id: str, events: NewEvent | Sequence[NewEvent], *, identity: str | None = None, own: bool = False
    ) -> list[Event]:
        """`append` for asyncio. It never blocks the event loop."""

    async def aappend_while(self, task_id: str, event: NewEvent, condition: Callable[[Task], bool]) -> Event | None:
        """Append an event of the server if `condition(task)` is true within the transaction; None if it is not.

        `condition` is called in another thread. Raises UnknownTask.
        """

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
        """`aappend_audited` for callers without an event loop."""

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
        """Append an event of a person and its audit, both or neither. The audit's detail is the event's payload.

        Raises UnknownTask (it never creates a task), InvalidEvent, or Conflict if the task's state forbids the event.
        """

    # audits and saved views

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
        """Add an audit: what a person did. Raises InvalidEvent."""

    async def asave_view(
        self, name: str, filters: str, *, actor: str | Who, source: str | None = None, project_id: str | None = None
    ) -> SavedView:
        """Save filters of the task list under a name, with an audit. `project_id` None: for all projects.

        Raises InvalidEvent, and Conflict for a name that is taken or if there are too many views.
        """

    async def adelete_view(self, view_id: int, *, actor: str | Who, source: str | None = None) -> SavedView:
        """Delete a saved view, with an audit. Returns the deleted view. Raises NotFound."""

    async def awrite(self, write: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Call a blocking write of this store or of its `people` in a thread: `await store.awrite(store.audit, …)`.

        Its deadline counts from now, also while it waits for a thread.
        """
