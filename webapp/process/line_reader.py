"""Turns a command's output into the lines that a terminal would show."""

from __future__ import annotations

import codecs
import re
import time
from collections.abc import Callable

from signalbox.webapp.process.output_lines import MAX_LINE, LineJoiner, OutputLine, is_unlogged
from signalbox.webapp.process.row import Row, StyledText
from signalbox.webapp.process.screen import Screen
from signalbox.webapp.process.style import Styles

HEIGHT, WIDTH = 40, 120
"""Rows and columns of output without a terminal."""

HOLD = 0.15
"""Seconds for which a complete line is held before it is logged, because a cursor movement may change it again."""

HOLD_DRAWING = 1.0
"""The same while the command redraws lines or hides the cursor."""

HOLD_REDRAWN = 5.0
"""The same for a line that the cursor has returned to."""

MAX_UNFINISHED_LINES, MAX_UNFINISHED_CHARS = 10, 1000
"""Maximum number of lines of unfinished output, and of characters in each."""

_FOLD = re.compile(r"(travis_fold:(?:start|end):[^\s\x1b]{1,100})\r\x1b\[0?K")
"""A marker of a group of lines, which erases itself from the terminal. The log keeps it, as a line of its own."""

_SPECIAL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class LineReader:
    """Reads bytes in any pieces and returns complete lines.

    Text without control characters bypasses the screen model, as it only adds rows at the bottom. A line is complete
    when it scrolls out, when it is no longer held after the cursor has left it, or at the end.
    """

    def __init__(
        self, columns: int | None = None, height: int = HEIGHT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._clock = clock
        styles = Styles()
        self._joiner = LineJoiner(styles)
        self._screen = Screen(
            columns or MAX_LINE, height, self._joiner.add_row, styles=styles, reach=None if columns else WIDTH
        )
        self._plain = True
        self._last_feed = 0.0

    def feed(self, data: bytes, *, final: bool = False) -> list[OutputLine]:
        """Read `data` and return the complete lines; with `final` also the lines on the screen."""
        screen, text = self._screen, self._decoder.decode(data, final)
        screen.now = self._clock()
        if "travis_fold:" in text:
            text = _FOLD.sub(r"\1\n", text)
        if text:
            self._last_feed = screen.now
            lines = self._lines(text) if self._plain else None
            if lines is not None:
                self._add(lines)
            else:
                screen.wrap_rows()
                screen.feed(text)
                self._plain = screen.at_end
        if final:
            self._finish()
        return self._joiner.take()

    def settle(self, before: float = 0.0) -> list[OutputLine]:
        """Return the lines whose hold has ended; see `due`.

        Lines that the cursor left at `before` or earlier are not held, unless they belong to a display that is redrawn.
        """
        now = self._screen.now = self._clock()
        for row in self._rows_above_cursor():
            if is_unlogged(row):
                hold = self._hold(row)
                if now < row.at + hold and not (hold == HOLD and row.at <= before):
                    break
                self._joiner.add_row(row)
        return self._joiner.take()

    @property
    def due(self) -> float | None:
        """Seconds until `settle` may return lines; None if no line is held."""
        for row in self._rows_above_cursor():
            if is_unlogged(row):
                return max(0.0, row.at + self._hold(row) - self._clock())
        return None

    @property
    def unfinished_text(self) -> str:
        """The text on the screen that is not in the log: the unfinished line, or the last lines of a display."""
        rows, above = self._screen.rows, self._rows_above_cursor()
        held = [row for row in above if is_unlogged(row) and self._hold(row) != HOLD]
        lines: list[list[StyledText]] = [[]]
        for row in held + rows[len(above) :]:
            lines[-1] += row.styled_text()
            if not row.wrapped:
                lines.append([])
        joiner = self._joiner
        texts = [joiner.lines_of(line)[0].text[:MAX_UNFINISHED_CHARS] for line in map(joiner.trimmed, lines[:-1])]
        while texts and not texts[-1]:
            texts.pop()
        return "\n".join(texts[-MAX_UNFINISHED_LINES:])

    def resize(self, columns: int, height: int) -> list[OutputLine]:
        """Resize the terminal, and return the lines that scroll out."""
        self._screen.resize(columns, height)
        self._plain = self._screen.at_end
        return self._joiner.take()

    def _lines(self, text: str) -> list[str] | None:
        """Return the rows of plain `text`, with the row that it continues; None if the text needs the screen model."""
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        if _SPECIAL.search(text):
            return None
        lines = ((self._screen.rows[-1].plain or "") + text).split("\n")
        if "\t" not in text:
            return lines
        return [line.expandtabs() for line in lines] if text.isascii() and lines[0].isascii() else None

    def _add(self, lines: list[str]) -> None:
        screen = self._screen
        rows, now, height, joiner = screen.rows, screen.now, screen.height, self._joiner
        last = rows[-1]
        last.set_plain(lines[0])
        if len(lines) > 1:
            last.at = now
        if len(lines) > height:
            for row in rows:
                self._joiner.add_row(row)
            joiner.at = now
            give = joiner.complete.append
            for line in lines[1:-height]:
                if len(line) <= MAX_LINE:
                    give(OutputLine(line.rstrip(" "), at=now))
                else:
                    joiner.complete += joiner.lines_of(joiner.trimmed([(0, line)]))
            rows[:] = [Row(line, now) for line in lines[-height:]]
        else:
            rows += [Row(line, now) for line in lines[1:]]
            for row in rows[: max(0, len(rows) - height)]:
                self._joiner.add_row(row)
            del rows[: max(0, len(rows) - height)]
        last = rows[-1]
        tail = last.plain or ""
        if len(tail) > MAX_LINE:
            for row in rows[:-1]:
                self._joiner.add_row(row)
            cut, joiner.at = len(tail) // MAX_LINE * MAX_LINE, now
            joiner.add([(0, tail[:cut])], changed=True)
            last.set_plain(tail[cut:])
        screen.y, screen.x = len(rows) - 1, last.width

    def _rows_above_cursor(self) -> list[Row]:
        """Return the rows above the cursor's line."""
        rows, end = self._screen.rows, self._screen.y
        while end and rows[end - 1].wrapped:
            end -= 1
        return [] if self._screen.alternate else rows[:end]

    def _hold(self, row: Row) -> float:
        if row.revisited:
            return HOLD_REDRAWN
        screen = self._screen
        drawing = screen.hidden or screen.now - screen.moved_up < HOLD_REDRAWN
        return HOLD_DRAWING if drawing else HOLD

    def _finish(self) -> None:
        screen = self._screen
        screen.leave_alternate()
        rows = screen.rows
        rows[screen.y].at = self._last_feed
        written = [index for index, row in enumerate(rows) if row.styled_text()]
        for row in rows[: max(screen.y, written[-1] + 1 if written else 0)]:
            self._joiner.add_row(row)
        self._joiner.finish()
        screen.rows = [Row()]
        screen.x = screen.y = 0
