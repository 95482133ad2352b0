"""Queries on a store without its views, for parts that read whole rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from signalbox.store.sql.dialect import Dialect


class RawRows(NamedTuple):
    """`rows(sql, *values)` runs one query in a view of its own. Values are marked by `?`."""

    rows: Callable[..., Awaitable[list[Any]]]
    dialect: Dialect
