"""The base of the stores in databases."""

from __future__ import annotations

from signalbox.store.contract import Store
from signalbox.store.sql.raw_rows import RawRows
from signalbox.store.sql.writing import Writes


class DatabaseStore(Writes, Store):
    """A store in a database. `raw_rows` runs queries without views."""

    raw_rows: RawRows
