"""The base of the stores in databases."""

from __future__ import annotations

from signalbox.store.contract import Store
from signalbox.store.sql.cold_reading import ColdReaders
from signalbox.store.sql.raw_rows import RawRows
from signalbox.store.sql.writing import Writes


class DatabaseStore(Writes, Store):
    """A store in a database. `raw_rows` runs queries without views, and `cold_readers` read tasks in cold storage."""

    raw_rows: RawRows
    cold_readers: ColdReaders | None = None
