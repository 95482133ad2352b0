"""The reads of a consistent view, with a module per noun.

`TaskPageReading` has the reads of the task page, which a replica in memory implements too. `TaskReading` adds the other
reads of one task that also work for an earlier seq. `Reading` adds all others. For a task that does not exist, methods
return an empty list, None or 0, except those that are documented to raise UnknownTask. Every method raises
StoreUnavailable if the database cannot be read, and StoreDamaged if a part that it needs is damaged.
"""

from __future__ import annotations

from typing import Protocol, Self

from signalbox.store.contract.reading.audits import AuditReading
from signalbox.store.contract.reading.cold import ColdReading
from signalbox.store.contract.reading.contents import ContentReading
from signalbox.store.contract.reading.conversation import ConversationReading
from signalbox.store.contract.reading.kinds import KindReading
from signalbox.store.contract.reading.links import LinkReading
from signalbox.store.contract.reading.log import LogReading, NewRowsReading, TaskLogReading
from signalbox.store.contract.reading.messages import MessageReading
from signalbox.store.contract.reading.parts import PartReading
from signalbox.store.contract.reading.permissions import PermissionReading, TaskPermissionReading
from signalbox.store.contract.reading.search import SearchReading
from signalbox.store.contract.reading.space import SpaceReading
from signalbox.store.contract.reading.spans import SpanReading, TaskSpanReading
from signalbox.store.contract.reading.tasks import OneTaskReading, TaskListReading


class TaskPageReading(
    OneTaskReading, NewRowsReading, PartReading, TaskSpanReading, TaskPermissionReading, MessageReading, Protocol
):
    """The reads that the task page needs."""

    def brief(self) -> Self:
        """Return the same view with long payloads of events shortened for pages. See `Event.cut_from`."""


class TaskReading(TaskPageReading, TaskLogReading, ConversationReading, Protocol):
    """Reads of one task as it is now, or as it was at an earlier seq."""


class Reading(
    TaskReading,
    TaskListReading,
    KindReading,
    LogReading,
    SpanReading,
    PermissionReading,
    AuditReading,
    ContentReading,
    ColdReading,
    LinkReading,
    SearchReading,
    SpaceReading,
    Protocol,
):
    """A consistent view of the whole store. All its methods see the state after the same commit."""
