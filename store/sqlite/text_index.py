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

NO_FTS5 = "this build of SQLite has no FTS5 with trigrams (SQLite 3.34 or newer is needed)"

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

_MARKS = ", ".join("?" * (len(COLUMNS) + 1))
_ADD = f"INSERT INTO search_texts (rowid, {', '.join(COLUMNS)}) VALUES ({_MARKS})"
_REMOVE = f"INSERT INTO search_texts (search_texts, rowid, {', '.join(COLUMNS)}) VALUES ('delete', {_MARKS})"


class SqliteTextIndex:
    """Implements `TextIndex` on the connection of the writer."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def create(self) -> str:
        try:
            self._db.execute(CREATE)
        except sqlite3.OperationalError as error:
            if "fts5" in str(error) or "trigram" in str(error) or "tokenizer" in str(error):
                return NO_FTS5
            raise
        # Merges are done in small steps of their own: see `tidy`.
        self._db.execute("INSERT INTO search_texts (search_texts, rank) VALUES ('automerge', 0)")
        self._db.execute("INSERT INTO search_texts (search_texts, rank) VALUES ('crisismerge', 256)")
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
            if self._remove_rows("search_texts_data", "id", limit):
                return True
            self._db.execute("DROP TABLE search_texts")
        documents = self._remove_rows("search_documents", "block", limit)
        return self._remove_rows("search_blocks", "block", limit) or documents

    def _remove_rows(self, table: str, key: str, limit: int) -> bool:
        some = f"SELECT {key} FROM {table} LIMIT ?"
        return self._db.execute(f"DELETE FROM {table} WHERE {key} IN ({some})", (limit,)).rowcount > 0
