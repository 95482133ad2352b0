"""Wake-ups through Redis or Valkey.

redis://[:PASSWORD@]HOST[:PORT]                           or rediss:// for TLS
redis+sentinel://[:PASSWORD@]HOST:PORT[,HOST:PORT…]/NAME  the server that the sentinels name, or rediss+sentinel://
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio import Redis, RedisError
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from signalbox.store.bus.transport import BusUnavailable
from signalbox.store.errors import UnknownStoreKind
from signalbox.store.urls import ENCODE

SCHEMES = ("redis", "rediss", "unix")
SENTINEL_SCHEMES = {"redis+sentinel": False, "rediss+sentinel": True}
"""The schemes for sentinels, and whether they use TLS."""

TIMEOUT = 2.0
"""Seconds that a connection or an answer may take."""

IDLE_CHECK = 10.0
"""Seconds without a wake-up after which the listening connection is checked."""

FAILURES = (RedisError, OSError, TimeoutError)


class RedisTransport:
    """Implements `Transport` on a channel of a Redis server. Raises UnknownStoreKind for a bad URL."""

    def __init__(self, url: str, channel: str) -> None:
        self._channel = channel
        self._client = client_of(url)

    async def publish(self, origin: str) -> None:
        """Wake all listening processes."""
        try:
            async with asyncio.timeout(2 * TIMEOUT):
                await self._client.publish(self._channel, origin)
        except FAILURES as error:
            raise _unavailable(error) from error

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[AsyncIterator[str]]:
        """Subscribe to the channel on a connection of its own."""
        pubsub = self._client.pubsub()
        try:
            async with asyncio.timeout(2 * TIMEOUT):
                await pubsub.subscribe(self._channel)
                while (first := await pubsub.get_message(timeout=TIMEOUT)) is None or first["type"] != "subscribe":
                    pass
            yield _origins(pubsub)
        except FAILURES as error:
            raise _unavailable(error) from error
        finally:
            with suppress(*FAILURES):
                await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def aclose(self) -> None:
        """Close all connections."""
        with suppress(*FAILURES):
            await self._client.aclose()


async def _origins(pubsub: PubSub) -> AsyncGenerator[str]:
    checked = False
    while True:
        message = await pubsub.get_message(timeout=TIMEOUT if checked else IDLE_CHECK)
        if message is None and checked:
            raise TimeoutError
        if message is None:
            await pubsub.ping()
        elif message["type"] == "message":
            yield message["data"].decode(errors="replace")
        checked = message is None


def client_of(url: str) -> Redis:
    """Return a client for a URL. It connects when it is used. Raises UnknownStoreKind."""
    # The client must not retry, because the bus retries and logs each failure.
    options: dict[str, Any] = {
        "socket_connect_timeout": TIMEOUT,
        "socket_timeout": TIMEOUT,
        "retry": Retry(NoBackoff(), 0),
        "client_name": "signalbox",
    }
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    try:
        if scheme in SCHEMES:
            _address_of(url)
            client = Redis.from_url(url, **options)
        elif scheme in SENTINEL_SCHEMES:
            client = _of_sentinels(url, options | {"ssl": SENTINEL_SCHEMES[scheme]})
        else:
            raise ValueError("a bus URL looks like redis://HOST:6379")
        # Does not connect. Raises TypeError for an unknown parameter.
        client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    except (ValueError, TypeError) as error:
        raise UnknownStoreKind(f"cannot use the bus {scheme}://…: {error}") from None
    return client


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise _invalid_address() from None


def _address_of(url: str) -> tuple[str, int | None]:
    parts = _split(url)
    try:
        return parts.hostname or "", parts.port
    except ValueError:
        raise _invalid_address() from None


def _invalid_address() -> ValueError:
    # Not the error of urllib, which quotes the invalid part: it may belong to the password.
    return ValueError(f"the host or the port is not valid; {ENCODE}")


def _of_sentinels(url: str, options: dict[str, Any]) -> Redis:
    parts = _split(url)
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    name = parts.path.strip("/")
    if not name or not hosts:
        raise ValueError(
            "the URL must name the sentinels and the service, such as redis+sentinel://a:26379,b:26379/mymaster"
        )
    found = [_address_of(f"//{host}") for host in hosts.split(",")]
    addresses = [(host, port or 26379) for host, port in found]
    if password:
        options |= {"username": unquote(user) or None, "password": unquote(password)}
    of_sentinels = {"password": dict(parse_qsl(parts.query)).get("sentinel_password"), "ssl": options["ssl"]}
    timeouts = {key: options[key] for key in ("socket_connect_timeout", "socket_timeout")}
    sentinel = Sentinel(addresses, sentinel_kwargs=of_sentinels | timeouts, **options)  # type: ignore[no-untyped-call]
    master: Redis = sentinel.master_for(name)
    return master


def _unavailable(error: BaseException) -> BusUnavailable:
    return BusUnavailable(str(error) or f"Redis did not answer within {TIMEOUT:.0f} s")
