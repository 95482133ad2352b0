"""The texts of the search index in PostgreSQL: a GIN index of trigrams (pg_trgm) and filter values."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store.search.documents import TERM_CHARS, Document
from signalbox.store.sql.database import Database

NO_EXTENSION = (
    "the extension pg_trgm is not installed in the database; a user with the right to do so installs it with"
    " CREATE EXTENSION pg_trgm"
)

# A statement that fails would undo the whole transaction.
_INSTALL = "DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS pg_trgm; EXCEPTION WHEN OTHERS THEN NULL; END $$"
_INSTALLED = "SELECT 1 FROM pg_opclass WHERE opcname = 'gin_trgm_ops' AND pg_opclass_is_visible(oid)"
# New entries are added to a list, which is fast, and `SORT_IN` sorts them in without the write lock. The limit of the
# list (in KB) is so high that no writer ever does that.
_CREATE = (
    "CREATE INDEX IF NOT EXISTS search_texts ON search_blocks USING gin (text gin_trgm_ops, terms)"
    " WITH (fastupdate = on, gin_pending_list_limit = 262144)"
)
SORT_IN = "SELECT gin_clean_pending_list(to_regclass('search_texts'))"

SORT_INTERVAL = 2.0
"""Seconds between two runs of `SORT_IN`. Sorting many entries in together takes much less time, but searches read the
list from its beginning to its end."""


class PostgresTextIndex:
    """Implements `TextIndex` in a write transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def create(self) -> str:
        self._db.execute(_INSTALL)
        if self._db.execute(_INSTALLED).fetchone() is None:
            return NO_EXTENSION
        self._db.execute(_CREATE)
        return ""

    def add(self, documents: Sequence[Document]) -> None:
        self._db.executemany(
            "INSERT INTO search_blocks (block, events, oldest, newest, text, terms) VALUES (?, ?, ?, ?, ?, ?)",
            [(one.block, one.events, one.oldest, one.newest, one.text, _terms(one)) for one in documents],
        )

    def remove(self, blocks: Sequence[int]) -> None:
        self._db.execute("DELETE FROM search_blocks WHERE block = ANY(?)", (list(blocks),))

    def tidy(self) -> bool:
        return False

    def drop_part(self, limit: int) -> bool:
        some = "SELECT block FROM search_blocks LIMIT ?"
        return self._db.execute(f"DELETE FROM search_blocks WHERE block IN ({some})", (limit,)).rowcount > 0


def _terms(document: Document) -> list[str]:
    return [terms[at : at + TERM_CHARS] for terms in document.terms for at in range(0, len(terms), TERM_CHARS)]
