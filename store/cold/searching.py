"""Searching a cold file: its blocks one after the other, without those that cannot have a hit."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence

from signalbox.store.cold.cached_file import CachedFile
from signalbox.store.cold.index import failures
from signalbox.store.contract import LogQuery
from signalbox.store.sql import search
from signalbox.store.sqlite.views import SQLITE

MAX_KEPT_SEARCHES = 8
MAX_KEPT_HITS = 100_000
"""A search with more hits runs again for each of its pages."""

_HITS = "SELECT seq FROM task_events WHERE {where} AND seq BETWEEN ? AND ? ORDER BY seq"
_CONVERSATION = "SELECT first_seq FROM task_conversation WHERE task_id = ?"
_SPANS = "SELECT block FROM cold_span_blocks WHERE span_id = ?"
_SIMPLE = re.compile(r"[a-zA-Z0-9 ]+")
"""A text that JSON never escapes, and whose case only ASCII letters have."""


class ColdSearch:
    """One search. It blocks, and is run block by block, so that a caller can stop between two blocks."""

    def __init__(self, cached: CachedFile, query: LogQuery, failure_lines: Sequence[int]) -> None:
        self._cached, self._query, self._lines = cached, query, tuple(failure_lines)
        self._where, self._values = search.conditions(cached.task_id, query, SQLITE, failure_lines)

    def known(self) -> Sequence[int] | None:
        """Return the seqs of all hits if the search ran before, else None."""
        return self._cached.searches.get((self._query, self._lines))

    def keep(self, hits: array[int]) -> None:
        """Keep the seqs of all hits for the next pages."""
        if len(hits) <= MAX_KEPT_HITS:
            self._cached.searches[self._query, self._lines] = hits
            while len(self._cached.searches) > MAX_KEPT_SEARCHES:
                self._cached.searches.popitem(last=False)

    def blocks(self) -> list[int]:
        """Return the blocks that may have hits, by the index."""
        query, index = self._query, self._cached.index
        blocks: Iterator[int] = iter(index.between(query.since or 0, 2**62 if query.until is None else query.until))
        counts = [index.of_types([query.event_type])] if query.event_type else []
        counts += [index.of_phase(query.phase)] if query.phase else []
        counts += [index.of_actor(query.actor)] if query.actor else []
        among: list[set[int]] = []
        if query.span_id:
            among.append({number for (number,) in self._cached.rows(_SPANS, [query.span_id])})
        if query.conversation:
            seqs = self._cached.rows(_CONVERSATION, [self._cached.task_id])
            among.append({number for (seq,) in seqs for number in index.between(seq, seq)})
        if query.failures:
            lines = {number for seq in self._lines for number in index.between(seq, seq)}
            among.append(lines | {number for number, block in enumerate(index.blocks) if failures(block)})
        return [
            number
            for number in blocks
            if all(count(index.blocks[number]) for count in counts) and all(number in found for found in among)
        ]

    def hits(self, number: int) -> list[int]:
        """Return the seqs of the hits in a block."""
        if not self._may_have_hits(number):
            return []
        if not self._cached.is_loaded(number) and not self._query.conversation:
            return self._cached.scratch.seqs(number, self._where, self._values)
        block = self._cached.index.blocks[number]
        self._cached.pin([number])
        try:
            sql = _HITS.format(where=self._where)
            return [seq for (seq,) in self._cached.rows(sql, [*self._values, block.first_seq, block.last_seq])]
        finally:
            self._cached.unpin([number])

    def _may_have_hits(self, number: int) -> bool:
        """Look for the words of the query in the compressed texts, which takes a fraction of the time of a query."""
        words = [word for word in (self._query.level, self._query.stream) if word]
        text = self._query.text
        if self._cached.is_loaded(number) or not all(map(_SIMPLE.fullmatch, [*words, *([text] if text else [])])):
            return True
        block, types = self._cached.index.blocks[number], self._cached.file.footer.types
        with self._cached.file.decoding(number) as reader:
            payloads = reader.text("payload").lower()
            if not all(word.lower().encode() in payloads for word in words):
                return False
            found = text.lower().encode()
            return (
                found in payloads
                or any(text.lower() in types[place].lower() for place, _ in block.types)
                or (block.plain > 0 and found in reader.text("plain").lower())
            )
