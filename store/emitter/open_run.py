"""The interface of a run that its steps use, so that they need not import it."""

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
        """The emitter that appends the run's events."""

    def check_mode(self, *, synchronous: bool) -> None:
        """Raise TypeError if `with` and `async with` are mixed."""
