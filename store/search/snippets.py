"""The piece of a text around the first match, with the matches marked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from signalbox.store.composition import composed
from signalbox.store.search.texts import folded

BEFORE, AFTER = 60, 180
"""Characters before the first match, and after it."""


class Snippet(msgspec.Struct, frozen=True):
    """A piece of a text, in parts. Every second part, beginning with the second one, is a match.

    `cut_before` and `cut_after` say that the text goes on there.
    """

    parts: tuple[str, ...]
    cut_before: bool = False
    cut_after: bool = False


def snippet_of(text: str, wanted: str) -> Snippet:
    """Return the piece of `text` around its first match of `wanted`, or its beginning if it has none."""
    text, wanted = _one_line(text), folded(wanted)
    first = _first_match(text, wanted)
    found_at = first or 0
    begin, end = max(0, found_at - BEFORE), min(len(text), found_at + AFTER)
    parts, shown_to = [], begin
    if first is not None:
        for match_begin, match_end in _matches(text[first : end + len(wanted)], wanted):
            if first + match_begin >= end:
                break
            parts += [text[shown_to : first + match_begin], text[first + match_begin : min(first + match_end, end)]]
            shown_to = min(first + match_end, end)
    return Snippet((*parts, text[shown_to:end]), begin > 0, end < len(text))


def _one_line(text: str) -> str:
    return " ".join(composed(text).split("\n")).strip()


def _first_match(text: str, wanted: str) -> int | None:
    """Return the place of the first match. Only few prefixes are folded, because the text may be long."""
    compared = folded(text)
    at = compared.find(wanted) if wanted else -1
    if at < 0 or len(compared) == len(text):
        return at if at >= 0 else None  # no character became several
    return bisect_right(range(len(text)), at, key=lambda place: len(folded(text[: place + 1])))


def _matches(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    """Yield where the matches in a short text begin and end."""
    compared, places = [], []
    for place, character in enumerate(text):
        one = folded(character)
        compared.append(one)
        places += [place] * len(one)
    line, places = "".join(compared), [*places, len(text)]
    at = line.find(wanted)
    while at >= 0:
        yield places[at], places[at + len(wanted)]
        at = line.find(wanted, at + len(wanted))
