"""The lines that the rows of a screen become: rows joined where they wrap, and lines cut where they are too long."""

from __future__ import annotations

import msgspec

from signalbox.webapp.process.row import Row, StyledText
from signalbox.webapp.process.style import Styles

MAX_LINE = 16 * 1024
"""Characters of one log event, escape sequences included; a longer line becomes several events."""


class OutputLine(msgspec.Struct, frozen=True, eq=False):
    """One line without its end. Its escape sequences do not depend on other lines.

    `partial`: the line continues in the next one. `redrawn`: the line was logged before with another text. `at`: when
    the cursor left it, by which the lines of two streams are put in order; it does not count in comparisons.
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
    """Joins rows to lines. `complete` has the lines that are complete; `at` is the time of the row added last."""

    def __init__(self, styles: Styles) -> None:
        self._styles = styles
        self._joined: list[StyledText] = []
        self._changed = self._redrawn = False
        self.complete: list[OutputLine] = []
        self.at = 0.0

    def take(self) -> list[OutputLine]:
        """Return the complete lines, and forget them."""
        taken, self.complete = self.complete, []
        return taken

    def add_row(self, row: Row) -> None:
        """Add the next row. It completes a line unless it wraps."""
        styled, self.at = row.styled_text(), row.at
        self._redrawn = self._redrawn or (row.logged is not None and row.logged != styled)
        self.add(styled, changed=row.logged != styled)
        row.logged, row.passed = styled, False
        if not row.wrapped:
            self._complete()

    def add(self, styled: list[StyledText], *, changed: bool) -> None:
        """Add text to the line; `changed` says that the log does not have it yet."""
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
        """`styled` without invisible blanks at its end."""
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
        """`styled` in pieces of at most MAX_LINE characters, escape sequences included."""
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
    """Whether the log lacks the text of a row. A blank row that replaces a logged one is not new."""
    if row.logged is None:
        return True
    styled = row.styled_text()
    return styled != row.logged and bool(styled)
