"""Keeps track of the callers with open streams: how many each has, and whether their rights are still valid."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable

import structlog

from signalbox.store import StoreError
from signalbox.webapp.auth.directory import Credential
from signalbox.webapp.auth.principal import NOBODY, Principal, ProjectIds
from signalbox.webapp.auth.ticket import Ticket
from signalbox.webapp.live.subscriber import Subscriber

logger = structlog.get_logger("signalbox.live")

FindPrincipal = Callable[[Credential | None], Awaitable[Principal]]
"""Looks up the principal of a credential."""


class ReservedPlace:
    """The place of a stream that was admitted and has not begun yet. It counts as a stream of the caller `key`."""

    def __init__(self, counts: Counter[str], key: str | None) -> None:
        self._counts, self._key = counts, key
        if key is not None:
            counts[key] += 1

    def release(self) -> None:
        """Give the place up, because the stream begins now, or never will. Further calls do nothing."""
        key, self._key = self._key, None
        if key is not None:
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]


class Callers:
    """The open streams by the credential that opened them."""

    def __init__(self) -> None:
        self._streams: dict[Credential | None, set[Subscriber]] = {}
        self._seen: dict[Credential | None, Principal] = {}
        self._counts: Counter[Hashable] = Counter()
        self._admitted: Counter[str] = Counter()

    def reserve(self, ticket: Ticket) -> ReservedPlace:
        """Return the place of a stream that is about to open."""
        return ReservedPlace(self._admitted, ticket.principal.key)

    def count(self, ticket: Ticket) -> int:
        """Return how many streams a caller has open, or is about to open; 0 for the local user, who has no limit."""
        key = ticket.principal.key
        return self._counts[key] + self._admitted[key] if key else 0

    def counts(self) -> list[tuple[str, int]]:
        """Return the key of each caller with open streams, and their number."""
        return [(key, count) for key, count in self._counts.items() if isinstance(key, str) and count > 0]

    def add_stream(self, subscriber: Subscriber) -> None:
        """Add a stream that has just opened."""
        ticket = subscriber.ticket
        self._streams.setdefault(ticket.credential, set()).add(subscriber)
        self._counts.update((ticket.principal.key, ("projects", ticket.visible_projects)))
        # The right may have been revoked since the stream was admitted, so check it again.
        self._seen.pop(ticket.credential, None)

    def leave(self, subscriber: Subscriber) -> None:
        """Remove a stream that has ended."""
        ticket = subscriber.ticket
        self._counts.subtract((ticket.principal.key, ("projects", ticket.visible_projects)))
        streams = self._streams[ticket.credential]
        streams.discard(subscriber)
        if not streams:
            del self._streams[ticket.credential]
            self._seen.pop(ticket.credential, None)
            self._counts = +self._counts

    def project_sets(self) -> set[ProjectIds]:
        """Return each distinct set of projects that some caller may see."""
        return {key[1] for key, streams in self._counts.items() if isinstance(key, tuple) and streams > 0}

    async def recheck(self, find_principal: FindPrincipal) -> None:
        """End the streams whose rights were revoked, or changed so that the content of the stream changes."""
        failed: StoreError | None = None
        for credential in list(self._streams):
            try:
                now = await find_principal(credential)
            except StoreError as error:
                # A failed lookup of one credential must not skip the checks of the others.
                failed = error
                continue
            except Exception as error:
                logger.error("the rights of a caller cannot be checked", exc_info=error)
                now = NOBODY
            if self._seen.get(credential) is now or credential not in self._streams:
                continue
            self._seen[credential] = now
            for subscriber in list(self._streams[credential]):
                match subscriber.ticket.verdict(now):
                    case "lost":
                        # The client reconnects and gets the reason as an HTTP error.
                        subscriber.disconnect("rights", random.randint(100, 500))
                    case "changed":
                        subscriber.finish(subscriber.control_messages.changed(subscriber.lane.position(subscriber)))
        if failed is not None:
            raise failed
