"""The delivery of queued events to a log. It runs in the thread of the background writer and may block."""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict

from signalbox.integrations.reporting.event_queue import CREATE_TASK, QueuedEvent
from signalbox.integrations.reporting.target import ReportTarget

TYPE_CHECKING = False  # from typing, which takes longer to import than this module
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from signalbox.store import NewEvent
    from signalbox.store.log import Log

log = logging.getLogger("signalbox.integrations")

KEPT_PATIENCE_S = 0.5
"""Seconds for which the end of a program waits for a server that is away."""

MAX_KNOWN_TASKS = 10_000
"""Tasks of which the identity is remembered, so that no event reaches a later task with the same id."""


when_first_opened: list[Callable[[], object]] = []
"""Functions that are called once, after the first log of the process was opened."""


class Delivery:
    """Appends items to the log at `target`, which it opens at the first call, once its modules are `loaded`."""

    def __init__(self, target: ReportTarget) -> None:
        self._target = target
        self._log: Log | None = None
        self._identities: OrderedDict[str, str | None] = OrderedDict()
        self._prefix = os.urandom(8).hex()
        self.written = self.kept = self.refused = 0
        self.loaded = threading.Event()

    def send(self, pending: list[QueuedEvent]) -> None:
        """Append the items, and remove those that are done from `pending`.

        The items that an error leaves in `pending` can be sent again: they have keys, so nothing is stored twice.
        Raises any error of opening or using the log, except for those that concern only one event or task: such
        events are counted as `refused`.
        """
        opened = self.open()
        while pending:
            task_id = pending[0].task_id
            size = 1
            if pending[0].event_type != CREATE_TASK:
                while size < len(pending) and _belongs(pending[size], pending[0]):
                    size += 1
            self._send_to_task(opened, task_id, pending[:size])
            del pending[:size]

    def load(self) -> None:
        """Load the modules of the store at the first call."""
        if not self.loaded.is_set():
            try:
                self._target.load()
            finally:
                self.loaded.set()

    def open(self) -> Log:
        """Open the log at the first call. Raises any error of that."""
        if self._log is None:
            self.load()
            self._log = self._target.open()
            while when_first_opened:
                when_first_opened.pop()()
        return self._log

    def send_kept(self, timeout: float) -> None:
        """Send what is kept on disk, for at most `timeout` seconds, or half a second if the server is still away."""
        from signalbox.store.remote import RemoteLog

        if isinstance(self._log, RemoteLog):
            self._log.wait(self._log.aflush(timeout, min(timeout, KEPT_PATIENCE_S)))

    def close(self) -> None:
        """Close the log."""
        opened, self._log = self._log, None
        if opened is not None:
            opened.close()

    def _send_to_task(self, opened: Log, task_id: str, items: list[QueuedEvent]) -> None:
        from signalbox.store.errors import Conflict, InvalidEvent, NotAllowed, StoreMoved, UnknownTask

        try:
            if items[0].event_type == CREATE_TASK:
                self._create(opened, task_id, items[0].payload)
            else:
                self._append(opened, items[0], [self._event(item) for item in items])
        except StoreMoved as moved:
            self.close()
            self._target = self._target._replace(url=moved.url)
            raise
        except NotAllowed as error:
            if not error.known:
                raise
            self._refuse(task_id, len(items), error)
        except (InvalidEvent, Conflict) as error:
            if len(items) == 1:
                self._refuse(task_id, 1, error)
                return
            # One of them was refused, and all or none are stored.
            for item in items:
                self._send_to_task(opened, task_id, [item])
        except UnknownTask as error:
            self._refuse(task_id, len(items), error)

    def _create(self, opened: Log, task_id: str, arguments: dict[str, Any]) -> None:
        from signalbox.store.emitter.fit_payload import fitting_object, word
        from signalbox.store.events import MAX_TITLE_CHARS
        from signalbox.store.redaction.writes import write_redaction_of_environment

        redaction = write_redaction_of_environment()
        title, kind = word(redaction.text(arguments.get("title")), MAX_TITLE_CHARS), word(arguments.get("kind"))
        metadata = fitting_object(redaction.value(arguments["metadata"])) if arguments.get("metadata") else None
        project = arguments.get("project_id") or self._target.project
        task, _ = opened.create_task(task_id, title=title, kind=kind, metadata=metadata, project_id=project)
        self._remember(task_id, task.identity or None)
        self.written += 1

    def _append(self, opened: Log, first: QueuedEvent, events: list[NewEvent]) -> None:
        identity = first.identity or self._identities.get(first.task_id)
        if identity is None and first.task_id not in self._identities and self._target.project:
            # An append would create the task in another project.
            self._create(opened, first.task_id, {})
            identity = self._identities[first.task_id]
        stored = opened.append(first.task_id, events, identity=identity)
        if identity is None and stored:
            self._remember(first.task_id, stored[-1].identity or None)
        # An event without a seq is kept on disk until the server is back: see `store.spool`.
        kept = sum(event.seq == 0 for event in stored)
        self.kept += kept
        self.written += len(events) - kept

    def _remember(self, task_id: str, identity: str | None) -> None:
        self._identities[task_id] = identity
        self._identities.move_to_end(task_id)
        while len(self._identities) > MAX_KNOWN_TASKS:
            self._identities.popitem(last=False)

    def _event(self, item: QueuedEvent) -> NewEvent:
        from signalbox.store.emitter.fit_payload import fitting
        from signalbox.store.events import NewEvent
        from signalbox.store.redaction.writes import write_redaction_of_environment
        from signalbox.store.times import timestamp

        try:
            at = item.time if isinstance(item.time, str) else timestamp(item.time)
        except (TypeError, ValueError):  # NaN, for example
            at = None
        fields = {"key": f"{self._prefix}-{item.number}", **item.fields}
        event = NewEvent(event_type=item.event_type, payload=item.payload, occurred_at=at, **fields)
        # Redact first: a text that was cut could contain part of a secret, which no rule finds.
        return fitting(write_redaction_of_environment().event(event))

    def _refuse(self, task_id: str, events: int, error: Exception) -> None:
        if self.refused == 0:
            log.warning("signalbox refuses events of the task %s: %s", task_id, error)
        self.refused += events


def _belongs(item: QueuedEvent, first: QueuedEvent) -> bool:
    return item.task_id == first.task_id and item.identity == first.identity and item.event_type != CREATE_TASK
