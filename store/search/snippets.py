"""The piece of a text around the first match, with the matches marked."""

from __future__ import annotations

import unicodedata

import msgspec

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
    compared, places = _with_places(text)
    first = compared.find(wanted) if wanted else -1
    begin = max(0, places[first] - BEFORE) if first > 0 else 0
    end = min(len(text), (places[first] if first >= 0 else 0) + AFTER)
    parts, shown_to, at = [], begin, first
    while at >= 0 and places[at] < end:
        match_end = min(places[at + len(wanted)], end)
        parts += [text[shown_to : places[at]], text[places[at] : match_end]]
        shown_to, at = match_end, compared.find(wanted, at + len(wanted))
    return Snippet((*parts, text[shown_to:end]), begin > 0, end < len(text))


def _one_line(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split("\n")).strip()


def _with_places(text: str) -> tuple[str, range | list[int]]:
    """Return the compared form of `text`, and for each of its characters and its end the place in `text`."""
    if text.isascii():
        return folded(text), range(len(text) + 1)
    compared, places = [], []
    for place, character in enumerate(text):
        one = folded(character)
        compared.append(one)
        places += [place] * len(one)
    return "".join(compared), [*places, len(text)]
