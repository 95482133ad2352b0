"""The open runs of LangChain: chains, nodes of graphs, model calls, tools and retrievers, each with its span."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from signalbox.integrations.langchain.messages import first_words
from signalbox.integrations.langchain.threads import Threads
from signalbox.integrations.reporting.background import BackgroundWriter
from signalbox.integrations.reporting.target import ReportTarget
from signalbox.integrations.reporting.traces.traced_task import TracedTask, open_trace
from signalbox.integrations.reporting.traces.values import title_of

MAX_OPEN = 10_000
"""Runs that are open at the same time. The oldest ones are forgotten, so runs that never end use no memory."""

_ATTEMPT = re.compile(r"retry:attempt:(\d+)")


@dataclass
class LangChainRun:
    """A run between its start and its end. `children` has the newest span of each name below it.

    An invisible run has the span of the run above it. A run is `root` if its task has no other run around it.
    """

    task: TracedTask
    span_id: str
    name: str
    kind: str
    model: str | None = None
    thread: str | None = None
    is_root: bool = False
    is_visible: bool = True
    children: dict[str, str] = field(default_factory=dict)


class LangChainRuns:
    """The open runs of all handlers with the same target. LangChain makes a new handler for each call of a chain."""

    def __init__(self, writer: BackgroundWriter) -> None:
        self.writer = writer
        self.threads = Threads()
        self._runs: OrderedDict[UUID, LangChainRun] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, run_id: UUID | None) -> LangChainRun | None:
        """Return an open run."""
        return self._runs.get(run_id) if run_id is not None else None

    def end(self, run_id: UUID) -> LangChainRun | None:
        """Forget a run, and return it."""
        with self._lock:
            return self._runs.pop(run_id, None)

    def start(
        self,
        run_id: UUID,
        parent_id: UUID | None,
        name: str,
        kind: str,
        *,
        inputs: Any = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        is_visible: bool = True,
    ) -> tuple[LangChainRun, str | None]:
        """Return a new run and the span above it. The first run of a trace opens the task."""
        metadata = metadata or {}
        above = self.get(parent_id)
        if above is None:
            run, parent = self._root(run_id, name, kind, inputs, metadata), None
        else:
            run, parent = self._child(run_id, above, name, kind, tags or [], metadata, is_visible), above.span_id
        with self._lock:
            self._runs[run_id] = run
            while len(self._runs) > MAX_OPEN:
                self._runs.popitem(last=False)
        return run, parent

    def _root(self, run_id: UUID, name: str, kind: str, inputs: Any, metadata: dict[str, Any]) -> LangChainRun:
        library = "langgraph" if metadata.get("ls_integration") == "langgraph" else "langchain"
        thread = str(metadata["thread_id"]) if metadata.get("thread_id") else None
        waiting = self.threads.task_of(thread)
        if waiting is not None:
            waiting.resume("langgraph")
            return LangChainRun(waiting, waiting.root, name, kind, thread=thread, is_root=True)
        title = title_of(first_words(inputs)) or name
        task = open_trace(self.writer, str(run_id), title=title, kind=library)
        kept = {key: value for key, value in metadata.items() if not key.startswith(("ls_", "lc_", "langgraph_"))}
        package = "langgraph" if library == "langgraph" else "langchain-core"
        task.begin(package, {**kept, "name": name})
        return LangChainRun(task, task.root, name, kind, thread=thread, is_root=True)

    def _child(
        self,
        run_id: UUID,
        above: LangChainRun,
        name: str,
        kind: str,
        tags: list[str],
        metadata: dict[str, Any],
        is_visible: bool,
    ) -> LangChainRun:
        if not is_visible:
            return LangChainRun(above.task, above.span_id, name, kind, is_visible=False, children=above.children)
        span_id = str(run_id)
        attempt = next((int(found[1]) for tag in tags if (found := _ATTEMPT.fullmatch(tag))), 1)
        if attempt > 1:
            # The same span is shown with its attempts.
            span_id = above.children.get(name, span_id)
        elif kind == "node" and metadata.get("langgraph_checkpoint_ns"):
            # A node that is retried, or resumed after an interrupt, has the same namespace again.
            span_id = str(metadata["langgraph_checkpoint_ns"])
        above.children[name] = span_id
        return LangChainRun(above.task, span_id, name, kind)


_shared: dict[ReportTarget, LangChainRuns] = {}


def open_runs(writer: BackgroundWriter) -> LangChainRuns:
    """Return the open runs of this process that report with `writer`."""
    return _shared.setdefault(writer.target, LangChainRuns(writer))
