"""Stream messages that are not events: greeting, heartbeats, and a last message that says why the stream ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from signalbox.webapp.auth.principal import ProjectIds
from signalbox.webapp.live import sse


class ControlMessages:
    """The control messages of a JSON stream. `cursor` is always the position of the stream that the message is for.

    `limited`: the server ends a stream after a maximum time or number of events, and the client resumes it.
    """

    limited = True

    def for_reader(self, visible_projects: ProjectIds) -> ControlMessages:
        """Return the control messages for a reader who may see these projects."""
        return self

    def greeting(self, cursor: int) -> bytes:
        """Return the message at the start of a stream."""
        return b""

    def heartbeat(self, cursor: int) -> bytes:
        """Return the message that is sent after some time without events."""
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
        """Return the last message of a stream whose reader has other rights now."""
        return self.farewell(cursor, "rights", 100)


class Pages(ControlMessages):
    """The control messages of a page: heartbeats are named events, which scripts can see, and contain `facts`."""

    def __init__(
        self, facts: Callable[[ProjectIds], Mapping[str, object]], visible_projects: ProjectIds = None
    ) -> None:
        self._facts = facts
        self._visible_projects = visible_projects

    def for_reader(self, visible_projects: ProjectIds) -> ControlMessages:
        return Pages(self._facts, visible_projects)

    def greeting(self, cursor: int) -> bytes:
        return self.heartbeat(cursor)

    def heartbeat(self, cursor: int) -> bytes:
        # Send the stream's own cursor: a page whose cursor is lower has lost a frame.
        return sse.named("heartbeat", {"latest_seq": cursor, **self._facts(self._visible_projects)})

    def changed(self, cursor: int) -> bytes:
        # The page shows rows or buttons that its reader may no longer see or use.
        return sse.reset({"reason": "rights"})


JSON = ControlMessages()
