"""The types of the values in a SQLite file, which may have any value in any column."""

from __future__ import annotations

from signalbox.store.moving.errors import UnreadableRow
from signalbox.store.moving.tables import Row, Table

_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "bool": (int,),
    "real": (float, int),
    "text": (str,),
    "bytes": (bytes,),
    "json": (str,),
    "key": (str,),
}


def check_types(table: Table, row: Row) -> None:
    """Raise UnreadableRow if a value is not of the kind of its column."""
    for column, value in zip(table.columns, row, strict=True):
        if not isinstance(value, _TYPES[column.kind]) and not (value is None and column.optional):
            found = "missing" if value is None else "not text" if isinstance(value, bytes) else f"{value!r:.40}"
            raise UnreadableRow(f"{column.name} of a row of {table.name} is {found}")
