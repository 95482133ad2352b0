"""Opening the two databases of a move by their URLs."""

from __future__ import annotations

from signalbox.store.kinds import is_postgresql, postgresql_extra, sqlite_path, unknown_kind
from signalbox.store.moving.side import DatabaseSide


def open_side(url: str, *, target: bool) -> DatabaseSide:
    """Open the source or the target of a move. Raises UnknownStoreKind, MoveRefused and StoreUnavailable."""
    if (path := sqlite_path(url)) is not None:
        from signalbox.store.moving.sqlite_side import SqliteSide

        return SqliteSide(path, target=target)
    if is_postgresql(url):
        with postgresql_extra():
            from signalbox.store.moving.postgresql_side import PostgresSide
        return PostgresSide(url, target=target)
    raise unknown_kind(url, "move")
