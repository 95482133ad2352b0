"""The messages of a stream that are no events: greeting, heartbeat, and the reason why the stream ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from signalbox.webapp.auth.principal import ProjectIds
from signalbox.webapp.live import sse


class ControlMessages:
    """The control messages of a JSON stream. `cursor` is always the position of the stream that gets the message.

    `limited` says whether a stream ends after some time or number of events; its client then resumes.
    """

    limited = True

    def to(self, sight: ProjectIds) -> ControlMessages:
        """Return the control messages for a reader who sees these projects."""
        return self

    def greeting(self, cursor: int) -> bytes:
        """Return the message at the start of a stream."""
        return b""

    def heartbeat(self, cursor: int) -> bytes:
        """Return the message after a time without events."""
        return sse.KEEPALIVE

    def farewell(self, cursor: int, reason: str, retry_ms: int) -> bytes:
        """Return the last message of a stream whose client may resume from `cursor` after `retry_ms` milliseconds."""
        return sse.named("reconnect", {"reason": reason}, retry_ms=retry_ms)

    def gone(self, cursor: int) -> bytes:
        """Return the last message of a stream whose task was deleted."""
        return sse.reset({"reason": "deleted"})

    def replaced(self, cursor: int) -> bytes:
        """Return the last message of a stream when the store has another history."""
        return sse.reset({"reason": "restored"})

    def changed(self, cursor: int) -> bytes:
        """Return the last message of a stream whose reader now sees or may do something else."""
        return self.farewell(cursor, "rights", 100)


class Pages(ControlMessages):
    """The control messages of a page: heartbeats are events that scripts can see, with the current `facts`."""

    def __init__(self, facts: Callable[[ProjectIds], Mapping[str, object]], sight: ProjectIds = None) -> None:
        self._facts = facts
        self._sight = sight

    def to(self, sight: ProjectIds) -> ControlMessages:
        return Pages(self._facts, sight)

    def greeting(self, cursor: int) -> bytes:
        return self.heartbeat(cursor)

    def heartbeat(self, cursor: int) -> bytes:
        # The stream's own cursor: a page with an older one has lost a frame.
        return sse.named("heartbeat", {"latest_seq": cursor, **self._facts(self._sight)})

    def changed(self, cursor: int) -> bytes:
        # The page shows rows or buttons that are no longer right.
        return sse.reset({"reason": "rights"})


JSON = ControlMessages()
