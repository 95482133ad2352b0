"""Finds which messages of a model call are new: each call sends the whole history again."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store.model_calls import ChatMessage

COMPARED_CALLS = 20
"""The newest calls with which a call is compared."""


class Histories:
    """The messages of the calls of one agent, in the order of the log."""

    def __init__(self) -> None:
        self._histories: list[list[object]] = []

    def __bool__(self) -> bool:
        return bool(self._histories)

    def new_messages(self, sent: Sequence[ChatMessage]) -> int:
        """Return how many of the first messages an earlier call had already, and remember this call."""
        contents: list[object] = [message.content for message in sent]
        repeated = max((_common(contents, known) for known in self._histories[-COMPARED_CALLS:]), default=0)
        self._histories.append(contents)
        return repeated

    def answered(self, message: ChatMessage) -> None:
        """Remember an answer, which the next call sends as part of its history."""
        if self._histories:
            self._histories[-1].append(message.content)


def _common(one: Sequence[object], other: Sequence[object]) -> int:
    length = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        length += 1
    return length
