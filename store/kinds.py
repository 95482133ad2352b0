"""The kind of store that a URL names: a SQLite file or a PostgreSQL database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

from signalbox.store.errors import UnknownStoreKind
from signalbox.store.urls import without_password

SQLITE = "sqlite:///"


def sqlite_path(url: str) -> Path | None:
    """Return the absolute path of a store in a SQLite file. Return None if the URL names another kind of store."""
    if not url.startswith(SQLITE) or url == SQLITE:
        return None
    return Path(unquote(url.removeprefix(SQLITE), errors="surrogateescape")).absolute()


def sqlite_url(path: Path) -> str:
    """Return the URL of the store in the SQLite file at `path`, whatever characters its name has."""
    return SQLITE + quote(os.fsencode(path))


def is_postgresql(url: str) -> bool:
    """Return whether the URL names a PostgreSQL database."""
    return url.partition("://")[0].lower() in ("postgresql", "postgres")


def is_server(url: str) -> bool:
    """Return whether the URL names a Signalbox server."""
    return url.partition("://")[0].lower() in ("http", "https")


def unknown_kind(url: str, verb: str = "open") -> UnknownStoreKind:
    """Return the error for a URL that names no kind of database. `verb` says what the caller wanted to do with it."""
    example = "a store URL looks like sqlite:///signalbox.db, postgresql://user@host/database or https://host"
    return UnknownStoreKind(f"cannot {verb} {without_password(url)!r}: {example}")


@contextmanager
def postgresql_extra() -> Iterator[None]:
    """Raise UnknownStoreKind, which names the missing extra, if an import in the block fails.

    Stores in files need neither the driver nor the time to load it, so it is imported only where it is used.
    """
    try:
        yield
    except ImportError as error:
        raise UnknownStoreKind(
            f"cannot open postgresql://…: install the extra `signalbox-console[postgresql]` ({error})"
        ) from error
