"""What a stream hears beside its events: that it is alive, and why it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from signalbox.webapp.auth.principal import Projects
from signalbox.webapp.live import sse


class Voice:
    """The words of a JSON stream. `cursor` is always where the one stream stands that hears them.

    `limited` is whether its streams end after some time and some events: their clients go on from where they were.
    """

    limited = True

    def to(self, sight: Projects) -> Voice:
        """The same for a reader who sees these projects."""
        return self

    def greeting(self, cursor: int) -> bytes:
        """What it hears when it begins."""
        return b""

    def silence(self, cursor: int) -> bytes:
        """What it hears when nothing happens."""
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


class Pages(Voice):
    """The words of a page's stream: a heartbeat that scripts can see, with the `facts` of the hour."""

    def __init__(self, facts: Callable[[Projects], Mapping[str, object]], sight: Projects = None) -> None:
        self._facts = facts
        self._sight = sight

    def to(self, sight: Projects) -> Voice:
        return Pages(self._facts, sight)

    def greeting(self, cursor: int) -> bytes:
        return self.silence(cursor)

    def silence(self, cursor: int) -> bytes:
        # Its own cursor: a page that has less has lost something on the way.
        return sse.named("heartbeat", {"latest_seq": cursor, **self._facts(self._sight)})

    def changed(self, cursor: int) -> bytes:
        # It shows rows or buttons that are not the right ones any more.
        return sse.reset({"reason": "rights"})


JSON = Voice()
