"""The texts of the search index in SQLite: a table of FTS5 with trigrams.

The table has neither the texts nor the positions of their pieces, so it is smaller than the texts. To remove a
document, FTS5 needs its text again, so that is kept compressed.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence

from signalbox.store.search.documents import TERM_FIELDS, Document

COLUMNS = ("text", *TERM_FIELDS)

CREATE = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS search_texts USING fts5({', '.join(COLUMNS)}, content='', columnsize=0,"
    " detail=none, tokenize='trigram case_sensitive 1')"
)
MERGE_PAGES = 16
"""Pages that one step of a merge writes."""

NO_FTS5 = (
    "this build of SQLite has no FTS5 with trigrams; use a Python with SQLite 3.34 or newer and FTS5, or turn the index"
    " off with search_index"
)

SIZE = """
WITH RECURSIVE segments (number) AS (
  SELECT min(id) >> 37 FROM search_texts_data WHERE id >= 1 << 37
  UNION ALL
  SELECT (SELECT min(id) >> 37 FROM search_texts_data WHERE id >= (number + 1) << 37) FROM segments
  WHERE number IS NOT NULL
)
SELECT coalesce(sum(
  (SELECT max(id) FROM search_texts_data WHERE id < (number << 37) + (1 << 31))
  - (SELECT min(id) FROM search_texts_data WHERE id >= number << 37) + 1
), 0) * 4096 FROM segments WHERE number IS NOT NULL
"""
"""The bytes of `search_texts`: the pages of a segment have consecutive ids, which begin with its number."""

_STRUCTURE = 10
"""The id of the row in `search_texts_data` that names the segments. Without it no connection can drop the table."""

_MARKS = ", ".join("?" * (len(COLUMNS) + 1))
_ADD = f"INSERT INTO search_texts (rowid, {', '.join(COLUMNS)}) VALUES ({_MARKS})"
_REMOVE = f"INSERT INTO search_texts (search_texts, rowid, {', '.join(COLUMNS)}) VALUES ('delete', {_MARKS})"


class SqliteTextIndex:
    """Implements `TextIndex` on the connection of the writer."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def create(self) -> str:
        (next_block,) = self._db.execute("SELECT next_block FROM search_state").fetchone()
        try:
            if next_block == 0:
                # A build without FTS5 could empty the table, but not drop it.
                self._db.execute("DROP TABLE IF EXISTS search_texts")
            self._db.execute(CREATE)
            # Merges are done in small steps of their own: see `tidy`. If the table exists, this is the first statement
            # that needs FTS5.
            self._db.execute("INSERT INTO search_texts (search_texts, rank) VALUES ('automerge', 0)")
            self._db.execute("INSERT INTO search_texts (search_texts, rank) VALUES ('crisismerge', 256)")
        except sqlite3.OperationalError as error:
            if _is_without_fts5(error):
                return NO_FTS5
            raise
        return ""

    def add(self, documents: Sequence[Document]) -> None:
        columns = [(one.text, *one.terms) for one in documents]
        self._db.executemany(_ADD, [(one.block, *texts) for one, texts in zip(documents, columns, strict=True)])
        packed = [
            (one.block, zlib.compress("\0".join(texts).encode(), 1))
            for one, texts in zip(documents, columns, strict=True)
        ]
        self._db.executemany("INSERT INTO search_documents VALUES (?, ?)", packed)
        self._db.executemany(
            "INSERT INTO search_blocks VALUES (?, ?, ?, ?, ?)",
            [
                (one.block, one.events, one.oldest, one.newest, len(document))
                for one, (_, document) in zip(documents, packed, strict=True)
            ],
        )

    def remove(self, blocks: Sequence[int]) -> None:
        for block in blocks:
            found = self._db.execute("SELECT document FROM search_documents WHERE block = ?", (block,)).fetchone()
            if found is not None:
                self._db.execute(_REMOVE, (block, *zlib.decompress(found[0]).decode().split("\0")))
                self._db.execute("DELETE FROM search_documents WHERE block = ?", (block,))
                self._db.execute("DELETE FROM search_blocks WHERE block = ?", (block,))

    def tidy(self) -> bool:
        before = self._db.total_changes
        self._db.execute("INSERT INTO search_texts (search_texts, rank) VALUES ('merge', ?)", (MERGE_PAGES,))
        return self._db.total_changes - before > 1

    def drop_part(self, limit: int) -> bool:
        exists = "SELECT 1 FROM sqlite_master WHERE name = 'search_texts'"
        if self._db.execute(exists).fetchone():
            # FTS5 could only remove everything at once, which takes long.
            if self._remove_rows("search_texts_data", "id", limit, f"id > {_STRUCTURE}"):
                return True
            try:
                self._db.execute("DROP TABLE search_texts")
            except sqlite3.OperationalError as error:
                # The empty table stays. `create` makes it usable again.
                if not _is_without_fts5(error):
                    raise
        documents = self._remove_rows("search_documents", "block", limit)
        return self._remove_rows("search_blocks", "block", limit) or documents

    def _remove_rows(self, table: str, key: str, limit: int, where: str = "1") -> bool:
        some = f"SELECT {key} FROM {table} WHERE {where} LIMIT ?"
        return self._db.execute(f"DELETE FROM {table} WHERE {key} IN ({some})", (limit,)).rowcount > 0


def _is_without_fts5(error: sqlite3.OperationalError) -> bool:
    """Return whether a statement failed because this build of SQLite lacks FTS5 or its trigrams."""
    return any(name in str(error) for name in ("fts5", "trigram", "tokenizer"))
