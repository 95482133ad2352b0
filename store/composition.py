"""Canonical composition (NFC) of texts from strangers, in linear time.

`unicodedata.normalize` sorts each run of combining marks by insertion, which is quadratic, and holds the GIL meanwhile:
16,000 marks take a second, 80,000 take half a minute.
"""

from __future__ import annotations

import unicodedata

PIECE_CHARS = 128
"""Characters that are composed at once. A run of marks that is longer is composed in pieces."""

LOOK_AHEAD = 32
"""Characters in which a piece may end later, at a character that composes with none before it. No text of a language
has this many marks on one letter (UAX #15, Stream-Safe Text Format: 30)."""


def composed(text: str) -> str:
    """Return `text` in NFC, except that marks in a run of over a hundred are not reordered across the whole run."""
    if len(text) <= PIECE_CHARS or text.isascii():
        return unicodedata.normalize("NFC", text)
    pieces, start = [], 0
    while start < len(text):
        end = _end_of_piece(text, start + PIECE_CHARS)
        pieces.append(unicodedata.normalize("NFC", text[start:end]))
        start = end
    return "".join(pieces)


def _end_of_piece(text: str, earliest: int) -> int:
    for end in range(earliest, min(earliest + LOOK_AHEAD, len(text))):
        if _begins_anew(text[end]):
            return end
    return earliest + LOOK_AHEAD


def _begins_anew(character: str) -> bool:
    """Return whether a character is neither a mark nor a vowel or final consonant of a Hangul syllable."""
    if character < "\u0300":
        return True
    return not "\u1160" <= character <= "\u11ff" and unicodedata.category(character)[0] != "M"
