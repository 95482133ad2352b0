"""The writes of a store. Each method is one transaction, which is committed completely or not at all.

Every method raises StoreUnavailable if the database cannot be written, and StoreDamaged if a part that it needs is
damaged. In both cases nothing is written.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, BinaryIO

from signalbox.store.artifacts import MAX_ARTIFACT_BYTES
from signalbox.store.blocking import blocking
from signalbox.store.chain.heads import SignedHead, SigningKey
from signalbox.store.contract.consuming import Consuming
from signalbox.store.contract.leasing import Fence
from signalbox.store.contract.searching import Searching
from signalbox.store.contract.values import TaskRecord, Who
from signalbox.store.events import Event, NewEvent
from signalbox.store.state import Task, Unfinished
from signalbox.store.task_query import SavedView


class Writing(Consuming, Searching):
    """The writes of a store.

    Each write is a coroutine with the prefix `a`, which never blocks the event loop. Its blocking form, for code
    without an event loop, has the same name without the `a` (see `store.blocking`): `append` for `aappend`. A kind of
    store implements the coroutines and `wait`.

    A coroutine that is cancelled before its transaction begins writes nothing. If it is cancelled later, the
    transaction may still be committed.

    With `identity`, a method raises UnknownTask unless the task with this id has this identity: the task may have been
    deleted, and another one created with the same id. `actor` is the person who acts, and `source` is the address or
    program they act from. Both go into the audit.
    """

    @property
    @abstractmethod
    def log_key(self) -> SigningKey:
        """The store's own key for signed heads and tombstones."""

    # tasks

    @abstractmethod
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
        """Create a task and return it with True. An existing task is returned unchanged, with False.

        Without `task_id` the task gets a new ULID, without `project_id` the default project. With `alone`, a task of
        the same kind and project that has not ended is returned instead, with False. The objects `tags` and `links` of
        the metadata are the task's tags and links. Raises InvalidEvent for a bad value or an unknown project.
        """

    create_task = blocking(acreate_task)

    @abstractmethod
    async def aimport_task(
        self,
        record: TaskRecord,
        events: Iterable[Event],
        project_id: str | None = None,
        *,
        heads: Sequence[SignedHead] = (),
    ) -> Task:
        """Create a task with a whole log. Events keep seq, created_at, key and link, and get new event ids.

        The events must begin at seq 1 and have no gaps. `events` is read in another thread, before the transaction.
        A `LinkedEvent` must fit its link, and the log must fit its signed `heads`. Events without links get new ones.
        Raises InvalidEvent, and Conflict if the task exists.
        """

    import_task = blocking(aimport_task)

    @abstractmethod
    async def adelete_task(
        self,
        task_id: str,
        *,
        actor: str | Who | None = None,
        source: str | None = None,
        identity: str | None = None,
        later: bool = False,
    ) -> Task:
        """Delete a task with its log, and return its last state. Its audits are kept, and an audit is added.

        The task disappears in one short transaction. The rows of a long log are then removed in small steps, so that
        other writers never wait long; with `later` that is left to `aremove_deleted`.

        Raises UnknownTask, and Conflict if the task is held, or if it is running or waiting. Without an `actor`, as
        when a program cleans up its own store, no audit is added and a task of any status is deleted.
        """

    delete_task = blocking(adelete_task)

    @abstractmethod
    async def aremove_deleted(self, task_id: str | None = None, *, seconds: float | None = None) -> bool:
        """Remove the rows that are left of this deleted task, or of all, in small steps for at most `seconds`.

        Returns whether none are left. Several processes may do this at the same time. A task can be created with the id
        of a deleted one at any time: the creation then removes these rows first.
        """

    remove_deleted = blocking(aremove_deleted)

    @abstractmethod
    async def aarchive_task(
        self, task_id: str, archived: bool, *, actor: str | Who, source: str | None = None, identity: str | None = None
    ) -> Task:
        """Archive a task, or restore it if `archived` is False, with an audit. Returns the task. Raises UnknownTask.

        Does nothing, and adds no audit, if the task is already archived or already restored.
        """

    archive_task = blocking(aarchive_task)

    @abstractmethod
    async def ahold_task(
        self,
        task_id: str,
        reason: str | None,
        *,
        actor: str | Who,
        source: str | None = None,
        identity: str | None = None,
    ) -> Task:
        """Hold a task for a reason, or release it if `reason` is None, with an audit. Returns the task.

        A held task is neither deleted nor moved to cold storage. A second hold replaces the first. Raises UnknownTask
        and InvalidEvent.
        """

    hold_task = blocking(ahold_task)

    @abstractmethod
    async def amark_stale(self, task_id: str, latest_seq: int, *, fence: Fence | None = None) -> bool:
        """Mark a running task as stale until its next event, and return True.

        Returns False, and changes nothing, if the task has an event after `latest_seq`, is not running, or is already
        stale. Raises UnknownTask, and LeaseLost if there is a `fence` whose holder has lost its lease.
        """

    mark_stale = blocking(amark_stale)

    @abstractmethod
    async def adiagnose(self, task_id: str) -> None:
        """Store the fingerprint of a failed run that ended before this version. Does nothing for other tasks."""

    diagnose = blocking(adiagnose)

    @abstractmethod
    async def aset_unfinished(self, task_id: str, lines: Sequence[Unfinished], *, identity: str | None = None) -> None:
        """Replace the unfinished lines of a task. They are dropped when the run ends. Raises UnknownTask."""

    set_unfinished = blocking(aset_unfinished)

    # events

    @abstractmethod
    async def aappend(
        self, task_id: str, events: NewEvent | Sequence[NewEvent], *, identity: str | None = None, own: bool = False
    ) -> list[Event]:
        """Append all of `events` to a task, or none. Returns them as stored, in order.

        A task that does not exist is created, unless `identity` is given. If the task already has an event with the
        same `key`, that one is returned and nothing is stored. `own` marks events of the server itself, which take
        effect where events of emitters are only claims (see `events.is_claim`). Raises UnknownTask, InvalidEvent or
        Conflict.
        """

    append = blocking(aappend)

    @abstractmethod
    async def aappend_while(
        self, task_id: str, event: NewEvent, condition: Callable[[Task], bool], *, fence: Fence | None = None
    ) -> Event | None:
        """Append an event of the server if `condition(task)` is true in the transaction, else return None.

        `condition` may be called in any thread, and must not wait. Raises UnknownTask, and LeaseLost if there is a
        `fence` whose holder has lost its lease.
        """

    append_while = blocking(aappend_while)

    @abstractmethod
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

        Never creates a task. Raises UnknownTask, InvalidEvent, or Conflict if the task's state forbids the event.
        """

    append_audited = blocking(aappend_audited)

    # artifacts

    @abstractmethod
    async def aadd_artifact(
        self,
        task_id: str,
        content: BinaryIO,
        name: str,
        *,
        content_type: str | None = None,
        limit: int = MAX_ARTIFACT_BYTES,
        actor: str = "runner",
        span_id: str | None = None,
        phase: str | None = None,
        key: str | None = None,
        identity: str | None = None,
    ) -> Event:
        """Store a file as an artifact of an existing task, and return the event `artifact_stored`.

        `content` is open for reading and can be rewound. It is read in another thread, and written in pieces, each in a
        transaction of its own: a failure may leave pieces, which are deleted later. Without a `content_type` the type
        is that of the name. Raises UnknownTask, InvalidEvent, and TooLarge over `limit` bytes.
        """

    add_artifact = blocking(aadd_artifact)

    # audits and saved views

    @abstractmethod
    async def aaudit(
        self,
        actor: str | Who,
        action: str,
        *,
        task_id: str | None = None,
        seq: int | None = None,
        source: str | None = None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        """Add an audit of an action that changes nothing else in the store. Raises InvalidEvent."""

    audit = blocking(aaudit)

    @abstractmethod
    async def aerase_events(
        self,
        task_id: str,
        seqs: Sequence[int],
        *,
        actor: str | Who,
        reason: str,
        source: str | None = None,
        identity: str | None = None,
        key: SigningKey | None = None,
    ) -> list[int]:
        """Erase the content of events, with an audit. Returns the seqs of the erased events, without earlier ones.

        Each gets a tombstone with the actor, the time and the reason, signed with `key` or the store's own key. All
        that was computed from the events is computed again, and contents of erased artifacts are deleted. Raises
        UnknownTask, Conflict for a task that is held, and InvalidEvent for a seq that does not exist, a bad reason, or
        too many events.
        """

    erase_events = blocking(aerase_events)

    @abstractmethod
    async def asign_heads(self, heads: Sequence[SignedHead]) -> None:
        """Store signed heads. Heads of tasks that were deleted meanwhile are left out."""

    sign_heads = blocking(asign_heads)

    @abstractmethod
    async def asave_view(
        self, name: str, filters: str, *, actor: str | Who, source: str | None = None, project_id: str | None = None
    ) -> SavedView:
        """Save filters of the task list under a name, with an audit. Without `project_id` it is for all projects.

        Raises InvalidEvent, and Conflict if the name is taken or there are too many views.
        """

    save_view = blocking(asave_view)

    @abstractmethod
    async def adelete_view(self, view_id: int, *, actor: str | Who, source: str | None = None) -> SavedView:
        """Delete a saved view, with an audit. Returns the deleted view. Raises NotFound."""

    delete_view = blocking(adelete_view)
