"""The tags, links and other metadata of a task, as its header shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from signalbox.store.state import Task
from signalbox.webapp.views.text import compact

MAX_FACTS = 6
MAX_FACT_CHARS = 60
MAX_REST_CHARS = 4000
"""Limits of the metadata that the header shows. The JSON of the task has all of it."""

_SHOWN_ELSEWHERE = frozenset({"tags", "links", "command", "retry_of", "attempt"})


@dataclass(frozen=True)
class HeaderLabels:
    """`facts` are short texts and numbers of the metadata. `rest` has the other values, each as text."""

    tags: dict[str, str]
    links: dict[str, str]
    facts: list[tuple[str, str]]
    rest: list[tuple[str, str]]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.tags or self.links or self.facts or self.rest)


def labels_of(task: Task) -> HeaderLabels:
    """Return the labels of a task."""
    facts: list[tuple[str, str]] = []
    rest: list[tuple[str, str]] = []
    left = MAX_REST_CHARS
    for name, value in task.metadata.items():
        if (name in _SHOWN_ELSEWHERE and not (name == "tags" and not task.tags)) or value is None:
            continue
        text = _text(value)
        if len(facts) < MAX_FACTS and isinstance(value, str | int | float) and len(name) + len(text) <= MAX_FACT_CHARS:
            facts.append((name, text))
        elif left > 0:
            rest.append((name[:200], text[:left] + "…" if len(text) > left else text))
            left -= len(name) + len(text)
    return HeaderLabels(task.tags, task.links, facts, rest)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else compact(value)
