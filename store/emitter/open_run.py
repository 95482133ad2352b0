"""What the parts of a run need of the run itself, so that they need not import it."""

from __future__ import annotations

from typing import Protocol

from signalbox.store.emitter.lifeline import Lifeline
from signalbox.store.emitter.vocabulary import R, Vocabulary


class OpenRun(Protocol[R]):
    """A run between its spawn and its exit."""

    task_id: str
    span_id: str
    synchronous: bool
    lifeline: Lifeline

    @property
    def emitter(self) -> Vocabulary[R]:
        """What appends its events."""

    def check_mode(self, *, synchronous: bool) -> None:
        """Raise TypeError where `with` and `async with` are mixed."""
