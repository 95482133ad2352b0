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


CHECK_PATIENCE = 10.0
"""Seconds for the first statement on a connection. A proxy may accept a client while it has no connection for it."""

PREPARE_AFTER = 5
"""Executions after which a statement is prepared."""

_PID = "SELECT pg_backend_pid()"


class Address:
    """The parsed URL of a database.

    Its query may contain `prepare=on` or `prepare=off`. Otherwise statements are prepared on a connection to the server
    itself, but not through a proxy: one that pools transactions runs each transaction on any of its connections, where
    a statement may be missing, or be another one of the same name.

    Of several hosts, only the one that accepts writes is used, unless the URL says otherwise: a standby may lag behind.
    """

    def __init__(self, url: str) -> None:
        base, self._prepare = _split_prepare(url)
        try:
            given = conninfo_to_dict(base)
        except psycopg.ProgrammingError as error:
            raise UnknownStoreKind(f"the store's URL is not a PostgreSQL URL: {_cause(error)}") from None
        ports = str(given.get("port", "")).split(",")
        if not all(port == "" or port.isdigit() for port in ports):
            raise UnknownStoreKind(f"the store's URL is not a PostgreSQL URL: the port must be a number; {ENCODE}")
        self.several_hosts = "," in str(given.get("host", ""))
        if self.several_hosts:
            given = {"target_session_attrs": "read-write", **given}
        self.parameters: dict[str, Any] = {**DEFAULTS, **given, "client_encoding": "UTF8"}

    def connect(self) -> LimitedConnection:
        """Open a connection in autocommit mode, with unlimited patience. Raises StoreUnavailable."""
        try:
            connection = LimitedConnection.connect(autocommit=True, context=ADAPTERS, **self.parameters)
        except psycopg.Error as error:
            raise not_reached(error) from error
        try:
            _check_version(connection.info.server_version)
            connection.patience, patience = CHECK_PATIENCE, connection.patience
            self._know(connection, connection.execute(_PID).fetchone())
            if connection.proxied:
                _check_transactions(connection)
            connection.patience = patience
        except psycopg.Error as error:
            connection.close()
            raise not_reached(error) from error
        except BaseException:
            connection.close()
            raise
        return connection

    async def aconnect(self, patience: float) -> LimitedAsyncConnection:
        """Do the same as `connect` without blocking. The connection may be used in any event loop, one at a time."""
        try:
            connection = await LimitedAsyncConnection.connect(autocommit=True, context=ADAPTERS, **self.parameters)
        except psycopg.Error as error:
            raise not_reached(error) from error
        connection.patience = patience
        try:
            self._know(connection, await (await connection.execute(_PID)).fetchone())
        except psycopg.Error as error:
            connection.pgconn.finish()
            raise not_reached(error) from error
        except BaseException:
            connection.pgconn.finish()
            raise
        return connection

    def _know(self, connection: LimitedConnection | LimitedAsyncConnection, row: tuple[int] | None) -> None:
        """Note whether there is a proxy. `row` has the process id of the server that runs the statements."""
        # A proxy serves many clients with one process of the server, so it invents the number that a client is told.
        connection.proxied = row != (connection.info.backend_pid,)
        prepare = self._prepare if self._prepare is not None else not connection.proxied
        connection.prepare_threshold = PREPARE_AFTER if prepare else None


def _check_version(version: int) -> None:
    if version < OLDEST_SERVER:
        raise StoreUnavailable(
            f"the server is PostgreSQL {version // 10_000}; Signalbox needs version {OLDEST_SERVER // 10_000} or newer",
            retry_after=30,
        )


def _check_transactions(connection: LimitedConnection) -> None:
    """Raise StoreUnavailable if the proxy refuses transactions, so that it is known before the first append."""
    try:
        connection.execute("BEGIN")
        connection.execute("COMMIT")
    except psycopg.errors.ProtocolViolation as error:
        raise StoreUnavailable(
            f"the proxy before the database must pool sessions or transactions: {str(error).strip()}", retry_after=30
        ) from error


def _split_prepare(url: str) -> tuple[str, bool | None]:
    """Return the URL without `prepare`, and its value."""
    base, mark, query = url.partition("?")
    parts = [part for part in query.split("&") if part]
    given = [part.removeprefix("prepare=") for part in parts if part.startswith("prepare=")]
    if any(value not in ("on", "off") for value in given):
        raise UnknownStoreKind("the store's URL is not a PostgreSQL URL: `prepare` must be `on` or `off`")
    kept = [part for part in parts if not part.startswith("prepare=")]
    return (f"{base}{mark}{'&'.join(kept)}" if kept else base), given[-1] == "on" if given else None


def _cause(error: psycopg.Error) -> str:
    text = str(error).partition("\n")[0]
    if text.startswith("invalid URI query parameter"):
        return text
    # libpq quotes the malformed part, which may belong to the password.
    unquoted = text.partition('"')[0].rstrip(" :")
    return f"{unquoted or 'it cannot be parsed'}; {ENCODE}"
