"""Reading of a task's rows in short reads, in the form that both kinds of databases share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from signalbox.store.sql.dialect import Dialect


class RowSource(NamedTuple):
    """Reads rows of a store: `rows(sql, *values)` runs one query in a view of its own."""

    rows: Callable[..., Awaitable[list[Any]]]
    dialect: Dialect
