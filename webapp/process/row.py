"""One row of a terminal: cells, each with a style."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

MAX_MARKS = 16
"""Maximum characters in one cell. Further combining marks are dropped."""

StyledText = tuple[int, str]
"""The number of a style, and text in this style."""


class Row:
    """Each cell holds a character with its combining marks. The second cell of a wide character is empty.

    A row without styles or edits is stored as plain text. `wrapped`: the line continues in the next row. `at` is the
    time when the cursor last left the row. `revisited`: the cursor has later moved above the row, so it may be redrawn.
    `logged` is the text of the row in the log, or None.
    """

    __slots__ = ("_text", "at", "cells", "logged", "revisited", "styles", "wrapped")

    def __init__(self, text: str = "", at: float = 0.0) -> None:
        self._text: str | None = text
        self.cells: list[str] = []
        self.styles: list[int] = []
        self.wrapped = self.revisited = False
        self.at = at
        self.logged: list[StyledText] | None = None

    @property
    def plain(self) -> str | None:
        """The text of a row without styles; None for a row with styles."""
        if self._text is None and not any(self.styles):
            return "".join(self.cells)
        return self._text

    @property
    def width(self) -> int:
        """The number of columns that have been written to."""
        return len(self.cells) if self._text is None else width(self._text)

    def set_plain(self, text: str) -> None:
        """Replace the row with plain text."""
        self._text = text
        self.cells, self.styles = [], []

    def open(self) -> None:
        """Split the text into `cells` and `styles`."""
        if self._text is not None:
            self.cells = cells_of(self._text)
            self.styles = [0] * len(self.cells)
            self._text = None

    def styled_text(self) -> list[StyledText]:
        """Return the text, split where the style changes."""
        if self._text is not None:
            return [(0, self._text)] if self._text else []
        if not any(self.styles):
            return [(0, "".join(self.cells))] if self.cells else []
        found: list[StyledText] = []
        start = 0
        for end in range(1, len(self.cells) + 1):
            if end == len(self.cells) or self.styles[end] != self.styles[start]:
                found.append((self.styles[start], "".join(self.cells[start:end])))
                start = end
        return found

    def write(self, x: int, cells: list[str], style: int) -> None:
        """Write `cells` at column `x`. A wide character that is half overwritten becomes a blank."""
        self.open()
        end = x + len(cells)
        self.pad(x)
        self._split(x)
        if end < len(self.cells) and self.cells[end] == "":
            self.cells[end] = " "
        self.cells[x:end] = cells
        self.styles[x:end] = [style] * len(cells)

    def pad(self, x: int) -> None:
        """Fill with blanks up to column `x`."""
        self.open()
        missing = x - len(self.cells)
        if missing > 0:
            self.cells += [" "] * missing
            self.styles += [0] * missing

    def erase(self, start: int, end: int) -> None:
        """Blank the columns from `start` up to `end`."""
        self.open()
        if end >= len(self.cells):
            if start < len(self.cells):
                self._split(start)
                del self.cells[start:], self.styles[start:]
        elif start < end:
            self.write(start, [" "] * (end - start), 0)

    def insert(self, x: int, count: int, columns: int) -> None:
        """Shift the cells from column `x` on to the right; cells that leave the row are lost."""
        self.open()
        if x < len(self.cells):
            self._split(x)
            self.cells[x:x] = [" "] * count
            self.styles[x:x] = [0] * count
            del self.cells[columns:], self.styles[columns:]

    def delete(self, x: int, count: int) -> None:
        """Delete columns; the following cells move left. Half of a wide character becomes a blank."""
        self.open()
        self._split(x)
        self._split(x + count)
        del self.cells[x : x + count], self.styles[x : x + count]

    def _split(self, x: int) -> None:
        """Replace a wide character that extends over the column `x` by two blanks."""
        if 0 < x < len(self.cells) and self.cells[x] == "":
            self.cells[x - 1] = self.cells[x] = " "


def cells_of(text: str) -> list[str]:
    """Return the cells of `text`."""
    if text.isascii():
        return list(text)
    cells: list[str] = []
    for character in text:
        columns = _columns(character)
        if columns:
            cells.append(character)
            if columns == 2:
                cells.append("")
        elif cells:
            at = -2 if cells[-1] == "" and len(cells) > 1 else -1
            if len(cells[at]) < MAX_MARKS:
                cells[at] += character
    return cells


def width(text: str) -> int:
    """Return the number of columns of `text`."""
    return len(text) if text.isascii() else sum(map(_columns, text))


@lru_cache(4096)
def _columns(character: str) -> int:
    if character < "\u0300":
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
