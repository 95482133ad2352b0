"""Threads of LangGraph that wait for people: their task continues when the graph is resumed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from signalbox.integrations.reporting.traces.questions import Question
from signalbox.integrations.reporting.traces.traced_task import TracedTask

MAX_THREADS = 1000
"""Waiting threads that are remembered. The graph of a forgotten one continues as a task of its own."""


@dataclass(frozen=True)
class AskedInterrupt:
    """An interrupt of a graph, and the permission requests that show it on the pages."""

    task: TracedTask
    interrupt: Any
    questions: tuple[Question, ...]


class Threads:
    """The interrupts of each thread, from the interrupt until the graph is resumed."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[str, TracedTask] = OrderedDict()
        self._asked: OrderedDict[str, AskedInterrupt] = OrderedDict()
        self._spans: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def interrupted(self, thread: str | None, task: TracedTask, asked: AskedInterrupt) -> None:
        """Remember an interrupt. Without a `thread` the graph has no checkpoints and cannot be resumed."""
        with self._lock:
            self._asked[asked.interrupt.id] = asked
            if thread is not None:
                self._tasks[thread] = task
            while len(self._asked) > MAX_THREADS:
                self._asked.popitem(last=False)
            while len(self._tasks) > MAX_THREADS:
                self._tasks.popitem(last=False)

    def raised(self, interrupt_id: str, span_id: str) -> None:
        """Remember the node that an interrupt stopped. The nodes of the graphs around it raise it again."""
        with self._lock:
            self._spans.setdefault(interrupt_id, span_id)
            while len(self._spans) > MAX_THREADS:
                self._spans.popitem(last=False)

    def span_of(self, interrupt_id: str) -> str | None:
        """Return the node that an interrupt stopped."""
        with self._lock:
            return self._spans.pop(interrupt_id, None)

    def asked(self, interrupt_id: str) -> AskedInterrupt | None:
        """Return a waiting interrupt."""
        return self._asked.get(interrupt_id)

    def is_waiting(self, thread: str | None) -> bool:
        """Return whether a thread waits for people."""
        return thread is not None and thread in self._tasks

    def task_of(self, thread: str | None) -> TracedTask | None:
        """Forget that a thread waits, because it continues, and return its task."""
        with self._lock:
            return self._tasks.pop(thread, None) if thread is not None else None

    def forget_interrupts(self, task: TracedTask) -> list[AskedInterrupt]:
        """Forget the interrupts of a task, because its graph continues, and return them."""
        with self._lock:
            found = [one for one in self._asked.values() if one.task is task]
            for one in found:
                del self._asked[one.interrupt.id]
        return found

    def answered(self, interrupt_id: str) -> None:
        """Forget an interrupt that people have answered."""
        with self._lock:
            self._asked.pop(interrupt_id, None)
