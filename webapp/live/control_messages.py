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
        """The same for a reader who sees these projects."""
        return self

    def greeting(self, cursor: int) -> bytes:
        """The message at the start of a stream."""
        return b""

    def heartbeat(self, cursor: int) -> bytes:
        """The message after a time without events."""
        return sse.KEEPALIVE

    def farewell(self, cursor: int, reason: str, retry_ms: int) -> bytes:
        """What it hears last, when its client shall go on from `cursor` after `retry_ms` milliseconds."""
        return sse.named("reconnect", {"reason": reason}, retry_ms=retry_ms)

    def gone(self, cursor: int) -> bytes:
        """What it hears last when its task was deleted."""
        return sse.reset({"reason": "deleted"})

    def replaced(self, cursor: int) -> bytes:
        """What it hears last when the store has another history than the one that it follows."""
        return sse.reset({"reason": "restored"})

    def changed(self, cursor: int) -> bytes:
        """What it hears last when its reader may still read, but does not see or may not do the same as before."""
        return self.farewell(cursor, "rights", 100)


class Pages(ControlMessages):
    """The words of a page's stream: a heartbeat that scripts can see, with the `facts` of the hour."""

    def __init__(self, facts: Callable[[ProjectIds], Mapping[str, object]], sight: ProjectIds = None) -> None:
        self._facts = facts
        self._sight = sight

    def to(self, sight: ProjectIds) -> ControlMessages:
        return Pages(self._facts, sight)

    def greeting(self, cursor: int) -> bytes:
        return self.heartbeat(cursor)

    def heartbeat(self, cursor: int) -> bytes:
        # Its own cursor: a page that has less has lost something on the way.
        return sse.named("heartbeat", {"latest_seq": cursor, **self._facts(self._sight)})

    def changed(self, cursor: int) -> bytes:
        # It shows rows or buttons that are not the right ones any more.
        return sse.reset({"reason": "rights"})


JSON = ControlMessages()
