"""Finds which messages of a model call are new: each call sends the whole history again."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store.model_calls import ChatMessage

COMPARED_CALLS = 20
"""The newest calls with which a call is compared."""


class Histories:
    """The messages of the calls of one agent, in order.

    Instructions of the system are compared by themselves, because APIs send them apart from the messages.
    """

    def __init__(self) -> None:
        self._histories: list[list[object]] = []
        self._instructions: set[object] = set()

    def __bool__(self) -> bool:
        return bool(self._histories)

    def new_messages(self, sent: Sequence[ChatMessage]) -> list[ChatMessage]:
        """Return the messages that no earlier call had at its beginning, and remember this call."""
        said = [message for message in sent if message.role != "system"]
        contents: list[object] = [message.content for message in said]
        repeated = max((_common(contents, known) for known in self._histories[-COMPARED_CALLS:]), default=0)
        self._histories.append(contents)
        instructions = [one for one in sent if one.role == "system" and one.content not in self._instructions]
        self._instructions.update(one.content for one in instructions)
        new = {id(message) for message in (*instructions, *said[repeated:])}
        return [message for message in sent if id(message) in new]

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
