"""Chooses how the processes on one database wake each other."""

from __future__ import annotations

import hashlib

from signalbox.store.bus.transport import Transport
from signalbox.store.errors import UnknownStoreKind
from signalbox.store.postgresql.connection import Address
from signalbox.store.postgresql.notifications import Notifications

BUS_UNAVAILABLE = ("bus_unavailable", "the bus does not work, so events of other processes arrive up to 2 s later")
"""The warning while wake-ups cannot be sent or received."""


def transport_of(url: str | None, address: Address, key: bytes) -> Transport:
    """Return the transport at `url`, or one in the database itself if there is no URL. Raises UnknownStoreKind.

    `key` is the secret of the database. The name of the channel is derived from it, so that all processes on one
    database use the same channel, whatever name or address each of them uses for it.
    """
    return _redis(url, f"signalbox:{hashlib.sha256(key).hexdigest()[:16]}") if url else Notifications(address)


def _redis(url: str, channel: str) -> Transport:
    try:
        from signalbox.store.bus.redis import RedisTransport
    except ImportError as error:
        raise UnknownStoreKind(f"cannot use the bus: install the extra `signalbox-console[redis]` ({error})") from error
    return RedisTransport(url, channel)
