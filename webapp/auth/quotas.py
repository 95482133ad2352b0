"""The quotas of tokens: how many events and bytes a program may send per minute.

A quota is counted per minute of the clock, over all server processes on the store. Each process counts by itself and
learns the counts of the others about once a second, so together they may accept what arrives within that second beyond
a quota. A request is refused before its body is read, once the quota is used up; the request that uses it up is still
accepted, so a single large one always passes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from signalbox.store.contract.processes import CountKey
from signalbox.store.people import Token
from signalbox.webapp.http.refusals import QuotaExceeded

KINDS = EVENTS, BYTES = "quota_events", "quota_bytes"
"""The kinds of counts that the processes share."""

MINUTE_S = 60


class Used(NamedTuple):
    """What a token has sent in the present minute."""

    events: int
    bytes: int


class Quotas:
    """Counts what tokens with a quota send. `elsewhere` returns a count of the other processes on the store.

    `changed` is called after each change of the counts of this process. `clock` returns the seconds since 1970.
    """

    def __init__(
        self,
        elsewhere: Callable[[CountKey], int],
        changed: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._elsewhere, self._changed, self._clock = elsewhere, changed, clock
        self._minute = 0
        self._counts: dict[CountKey, int] = {}
        self.refused = 0

    def admit(self, token: Token, size: int) -> None:
        """Count a body of `size` bytes. Raises QuotaExceeded if the token has used up its quota of this minute."""
        used = self.used(token)
        over = [
            f"{limit:,} {word}"
            for limit, count, word in (
                (token.events_per_minute, used.events, "events"),
                (token.bytes_per_minute, used.bytes, "bytes"),
            )
            if limit is not None and count >= limit
        ]
        if over:
            self.refused += 1
            raise QuotaExceeded(token.name, " and ".join(over), MINUTE_S - self._clock() % MINUTE_S)
        self._add(BYTES, token, size)

    def count_bytes(self, token: Token, number: int) -> None:
        """Count the bytes of a body whose length was not known before."""
        self._add(BYTES, token, number)

    def count_events(self, token: Token, number: int) -> None:
        """Count events that the token sends."""
        self._add(EVENTS, token, number)

    def used(self, token: Token) -> Used:
        """Return what the token has sent to all processes in this minute."""
        self._begin_minute()
        return Used(*(self._counts.get(key, 0) + self._elsewhere(key) for key in self._keys(token)))

    def counts(self) -> Mapping[CountKey, int]:
        """Return the counts of this process."""
        self._begin_minute()
        return self._counts

    def _add(self, kind: str, token: Token, number: int) -> None:
        if token.has_quota and number:
            self._begin_minute()
            key = (kind, self._name(token))
            self._counts[key] = self._counts.get(key, 0) + number
            self._changed()

    def _keys(self, token: Token) -> tuple[CountKey, CountKey]:
        return (EVENTS, self._name(token)), (BYTES, self._name(token))

    def _name(self, token: Token) -> str:
        return f"{self._minute}:{token.token_id}"

    def _begin_minute(self) -> None:
        minute = int(self._clock() // MINUTE_S)
        if minute != self._minute:
            self._minute, self._counts = minute, {}
