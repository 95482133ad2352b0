"""Opening the two databases of a move by their URLs."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from signalbox.store.errors import UnknownStoreKind
from signalbox.store.moving.side import DatabaseSide
from signalbox.store.urls import without_password


def open_side(url: str, *, target: bool) -> DatabaseSide:
    """Open the source or the target of a move. Raises UnknownStoreKind, MoveRefused and StoreUnavailable."""
    scheme = url.partition("://")[0].lower()
    if scheme in ("postgresql", "postgres"):
        # Imported here because a move between files needs no driver.
        try:
            from signalbox.store.moving.postgresql_side import PostgresSide
        except ImportError as error:
            raise UnknownStoreKind(
                f"cannot open postgresql://…: install the extra `signalbox-console[postgresql]` ({error})"
            ) from error
        return PostgresSide(url, target=target)
    if url.startswith("sqlite:///") and url != "sqlite:///":
        from signalbox.store.moving.sqlite_side import SqliteSide

        return SqliteSide(Path(unquote(url.removeprefix("sqlite:///"))).absolute(), target=target)
    example = "a store URL looks like sqlite:///signalbox.db or postgresql://user@host/database"
    raise UnknownStoreKind(f"cannot move {without_password(url)!r}: {example}")
