"""Turns the rows of a screen into lines: joins rows that wrap, and cuts lines that are too long."""

from __future__ import annotations

import msgspec

from signalbox.webapp.process.row import Row, StyledText
from signalbox.webapp.process.style import Styles

MAX_LINE = 16 * 1024
"""Maximum characters of one log event, including escape sequences. A longer line becomes several events."""


class OutputLine(msgspec.Struct, frozen=True, eq=False):
    """One line without its end. Its escape sequences do not depend on other lines.

    `partial`: the line continues in the next one. `redrawn`: the line was logged before with another text. `at` is the
    time when the cursor left the line; it orders the lines of two streams, and is ignored in comparisons.
    """

    text: str
    partial: bool = False
    redrawn: bool = False
    at: float = 0.0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OutputLine):
            return NotImplemented
        return (self.text, self.partial, self.redrawn) == (other.text, other.partial, other.redrawn)

    def __hash__(self) -> int:
        return hash((self.text, self.partial, self.redrawn))


class LineJoiner:
    """Joins rows into lines. `complete` has the complete lines, and `at` is the time of the last added row."""

    def __init__(self, styles: Styles) -> None:
        self._styles = styles
        self._joined: list[StyledText] = []
        self._changed = self._redrawn = False
        self.complete: list[OutputLine] = []
        self.at = 0.0

    def take(self) -> list[OutputLine]:
        """Return the complete lines, and empty the list."""
        taken, self.complete = self.complete, []
        return taken

    def add_row(self, row: Row) -> None:
        """Add the next row. It completes a line unless it wraps."""
        styled, self.at = row.styled_text(), row.at
        self._redrawn = self._redrawn or (row.logged is not None and row.logged != styled)
        self.add(styled, changed=row.logged != styled)
        row.logged, row.revisited = styled, False
        if not row.wrapped:
            self._complete()

    def add(self, styled: list[StyledText], *, changed: bool) -> None:
        """Add text to the line. `changed`: the log does not have this text yet."""
        self._joined += styled
        self._changed = self._changed or changed
        if sum(len(text) for _, text in self._joined) > MAX_LINE:
            *pieces, rest = self._cut(self._joined)
            self.complete += [OutputLine(self._text(piece), partial=True, at=self.at) for piece in pieces]
            self._joined = rest

    def finish(self) -> None:
        """Complete a line that has text but no end."""
        if self._joined:
            self._complete()

    def trimmed(self, styled: list[StyledText]) -> list[StyledText]:
        """Return `styled` without invisible blanks at its end."""
        styled = list(styled)
        while styled and not self._styles.shows(styled[-1][0]):
            style, text = styled.pop()
            if text := text.rstrip(" "):
                styled.append((style, text))
                break
        return styled

    def lines_of(self, styled: list[StyledText]) -> list[OutputLine]:
        """Return the line of `styled`, or several if it is too long."""
        *before, last = self._cut(styled)
        lines = [OutputLine(self._text(piece), partial=True, at=self.at) for piece in before]
        return [*lines, OutputLine(self._text(last), at=self.at)]

    def _complete(self) -> None:
        styled = self.trimmed(self._joined)
        if self._changed and (styled or not self._redrawn):
            *pieces, last = self.lines_of(styled)
            self.complete += pieces
            self.complete.append(msgspec.structs.replace(last, redrawn=True) if self._redrawn else last)
        self._joined = []
        self._changed = self._redrawn = False

    def _cut(self, styled: list[StyledText]) -> list[list[StyledText]]:
        """Split `styled` into pieces of at most MAX_LINE characters, including escape sequences."""
        pieces: list[list[StyledText]] = [[]]
        size = style = 0
        for new, text in styled:
            while text:
                sequence = len(self._styles.between(style, new))
                room = MAX_LINE - size - sequence
                if room <= 0:
                    pieces.append([])
                    size = style = 0
                    continue
                pieces[-1].append((new, text[:room]))
                size += sequence + len(text[:room])
                text, style = text[room:], new
        return pieces

    def _text(self, styled: list[StyledText]) -> str:
        style, out = 0, []
        for new, text in styled:
            if new != style:
                out.append(self._styles.between(style, new))
                style = new
            out.append(text)
        if style:
            out.append(self._styles.between(style, 0))
        return "".join(out)


def is_unlogged(row: Row) -> bool:
    """Return whether the log lacks the text of a row. A blank row that replaces a logged one is not new."""
    if row.logged is None:
        return True
    styled = row.styled_text()
    return styled != row.logged and bool(styled)
