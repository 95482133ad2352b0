"""Connections to the server. The URL may contain every parameter of libpq, such as `sslmode` or several hosts."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from signalbox.store.errors import StoreUnavailable, UnknownStoreKind
from signalbox.store.postgresql.errors import not_reached
from signalbox.store.postgresql.limited_waits import LimitedAsyncConnection, LimitedConnection
from signalbox.store.postgresql.texts import ADAPTERS
from signalbox.store.urls import ENCODE

DEFAULTS: dict[str, Any] = {
    "connect_timeout": 10,
    "application_name": "signalbox",
    # A connection to a server that has disappeared from the network is closed after about 25 s.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""Parameters of libpq that the URL may override."""

WRITER_PATIENCE, READER_PATIENCE = 30.0, 10.0
"""Seconds without an answer after which a connection gives up.

The longest statements delete a long task, and search in a long log.
"""

OLDEST_SERVER = 140_000


class Address:
    """The parsed URL of a database. `prepare=off` in its query switches prepared statements off, for a proxy.

    Of several hosts, only the one that accepts writes is used, unless the URL says otherwise: a standby may lag behind.
    """

    def __init__(self, url: str) -> None:
        try:
            given = conninfo_to_dict(_without_prepare(url))
        except psycopg.ProgrammingError as error:
            raise UnknownStoreKind(f"the store's URL is not a PostgreSQL URL: {_cause(error)}") from None
        ports = str(given.get("port", "")).split(",")
        if not all(port == "" or port.isdigit() for port in ports):
            raise UnknownStoreKind(f"the store's URL is not a PostgreSQL URL: the port must be a number; {ENCODE}")
        self.several_hosts = "," in str(given.get("host", ""))
        if self.several_hosts:
            given = {"target_session_attrs": "read-write", **given}
        self.parameters: dict[str, Any] = {**DEFAULTS, **given, "client_encoding": "UTF8"}
        self._prepare_threshold: int | None = None if "prepare=off" in url.partition("?")[2].split("&") else 5

    def connect(self) -> LimitedConnection:
        """Open a connection in autocommit mode, with unlimited patience. Raises StoreUnavailable."""
        try:
            connection = LimitedConnection.connect(autocommit=True, context=ADAPTERS, **self.parameters)
        except psycopg.Error as error:
            raise not_reached(error) from error
        connection.prepare_threshold = self._prepare_threshold
        try:
            _check_version(connection.info.server_version)
        except StoreUnavailable:
            connection.close()
            raise
        return connection

    async def aconnect(self, patience: float) -> LimitedAsyncConnection:
        """Do the same as `connect` without blocking. The connection may be used in any event loop, one at a time."""
        try:
            connection = await LimitedAsyncConnection.connect(autocommit=True, context=ADAPTERS, **self.parameters)
        except psycopg.Error as error:
            raise not_reached(error) from error
        connection.prepare_threshold = self._prepare_threshold
        connection.patience = patience
        return connection


def _check_version(version: int) -> None:
    if version < OLDEST_SERVER:
        raise StoreUnavailable(
            f"the server is PostgreSQL {version // 10_000}; Signalbox needs version {OLDEST_SERVER // 10_000} or newer",
            retry_after=30,
        )


def _without_prepare(url: str) -> str:
    base, mark, query = url.partition("?")
    kept = [part for part in query.split("&") if part and part != "prepare=off"]
    return f"{base}{mark}{'&'.join(kept)}" if kept else base


def _cause(error: psycopg.Error) -> str:
    text = str(error).partition("\n")[0]
    if text.startswith("invalid URI query parameter"):
        return text
    # libpq quotes the malformed part, which may belong to the password.
    unquoted = text.partition('"')[0].rstrip(" :")
    return f"{unquoted or 'it cannot be parsed'}; {ENCODE}"
