"""The pieces of artifacts, which may be large: their keys are compared, and only missing pieces are read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter

from signalbox.store.moving.copying import Copier
from signalbox.store.moving.in_step import in_step
from signalbox.store.moving.side import CHUNK, DatabaseSide
from signalbox.store.moving.tables import PIECES, Row

_KEYS = "SELECT sha256, number, length(content) FROM artifact_pieces ORDER BY sha256, number"
_CONTENTS = (
    "SELECT sha256, content FROM artifact_pieces AS piece"
    " WHERE EXISTS (SELECT 1 FROM artifact_contents AS c WHERE c.sha256 = piece.sha256 AND complete = 1)"
    " ORDER BY sha256, number"
)


def keys(side: DatabaseSide) -> Iterator[Row]:
    """Yield the key and the length of each piece, in order."""
    return side.rows(_KEYS)


def match_pieces(copier: Copier) -> None:
    """Copy the missing pieces to the target, one at a time, and delete those that the source does not have."""
    source, target = copier.source, copier.target
    different = [(key, row is None) for key, row, stored in _in_step(source, target) if row != stored]
    for start in range(0, len(different), CHUNK):
        target.delete(PIECES, [key for key, _ in different[start : start + CHUNK]])
    for key, gone in different:
        if not gone:
            target.insert(PIECES, list(source.select(PIECES, "WHERE sha256 = ? AND number = ?", *key)))
            copier.pause_point()


def wrong_contents(side: DatabaseSide, pause_point: Callable[[], None]) -> list[str]:
    """Return a sentence for each content whose pieces do not have its hash."""
    found = []
    for sha256, pieces in groupby(side.rows(_CONTENTS), key=itemgetter(0)):
        digest = hashlib.sha256()
        for _, piece in pieces:
            digest.update(piece)
            pause_point()
        if digest.hexdigest() != sha256:
            found.append(f"the content {sha256} of an artifact has another hash in the copy")
    return found


def _in_step(source: DatabaseSide, target: DatabaseSide) -> Iterator[tuple[Row, Row | None, Row | None]]:
    return in_step(*(((row[:2], row) for row in keys(side)) for side in (source, target)))
