"""The messages of a JUnit report on its page: whole up to a limit for all of them, then only their beginnings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from signalbox.webapp.views.text import cut


class HasMessage(Protocol):
    """A test with the message of its failure."""

    message: str


T = TypeVar("T", bound=HasMessage)

WHOLE_CHARS = 100_000
"""Characters of all messages that are shown whole."""

BEGINNING_CHARS = 100


def with_messages(tests: Iterable[T]) -> Iterator[tuple[T, str]]:
    """Yield each test with the text of its message that the page shows."""
    left = WHOLE_CHARS
    for test in tests:
        message = test.message if len(test.message) <= left else cut(test.message, BEGINNING_CHARS)
        left -= len(message)
        yield test, message
