"""What can be read in one consistent view, by noun.

`TaskReading` is what can be read of one task both as it is and as it was at an earlier seq; `Reading` adds the rest.
In both, a task that does not exist has no events, spans or anything else: methods return an empty list, None or 0,
except those that say they raise UnknownTask. Any method raises StoreUnavailable if the database cannot be read, or
StoreDamaged if what it needs is damaged.
"""

from __future__ import annotations

from typing import Protocol, Self

from signalbox.store.contract.reading.audits import AuditReading
from signalbox.store.contract.reading.log import LogReading, TaskLogReading
from signalbox.store.contract.reading.parts import PartReading
from signalbox.store.contract.reading.permissions import PermissionReading, TaskPermissionReading
from signalbox.store.contract.reading.spans import SpanReading, TaskSpanReading
from signalbox.store.contract.reading.tasks import OneTaskReading, TaskListReading


class TaskReading(OneTaskReading, TaskLogReading, PartReading, TaskSpanReading, TaskPermissionReading, Protocol):
    """One task as it is, or as it was at an earlier seq."""

    def brief(self) -> Self:
        """The same view, whose events have long payloads cut to the length that a page shows: see `Event.cut_from`."""


class Reading(TaskReading, TaskListReading, LogReading, SpanReading, PermissionReading, AuditReading, Protocol):
    """A consistent view of the whole store: all its methods answer as of the same commit."""
