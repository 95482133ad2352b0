"""The rows and the cursor of a small terminal, with the operations that control sequences perform on them.

The behaviour is that of xterm, and of `pyte` where tests compare the two. The grid starts with one row and grows
downward to its height. The cursor cannot move below the last row, as at the bottom of a terminal.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable

from signalbox.webapp.process.row import MAX_MARKS, Row, cells_of
from signalbox.webapp.process.style import Styles


class Grid:
    """A grid `columns` wide and at most `height` rows high. `scrolled` is called with each row that leaves at the top.

    `reach` is the last column that cursor movements can reach to the right of the text, for output without a terminal.
    """

    def __init__(
        self,
        columns: int,
        height: int,
        scrolled: Callable[[Row], None],
        *,
        styles: Styles | None = None,
        reach: int | None = None,
    ) -> None:
        self.columns, self.height, self._reach = columns, height, reach
        self.rows = [Row()]
        self.x = self.y = 0
        self.styles = styles or Styles()
        self.now = 0.0
        self.moved_up = -1e9
        self.hidden = False
        self._scrolled = scrolled
        self._main: tuple[list[Row], int, int] | None = None
        self._saved: tuple[int, int] = (0, 0)
        self._margins: tuple[int, int] | None = None
        self._stops: list[int] | None = None
        self._wraps, self._inserts = True, False
        self._last = " "

    def wrap_rows(self) -> None:
        """Wrap the rows of the main screen that are wider than the screen."""
        if self._main is not None or all(row.width <= self.columns for row in self.rows):
            return
        rows: list[Row] = []
        for row in self.rows:
            while row.width > self.columns:
                row.open()
                end = self.columns - (row.cells[self.columns] == "")
                part = Row(at=row.at)
                part.open()
                part.cells, row.cells = row.cells[:end], row.cells[end:]
                part.styles, row.styles = row.styles[:end], row.styles[end:]
                part.wrapped = True
                if row.logged is not None:
                    part.logged = part.styled_text()
                rows.append(part)
            if row.logged is not None:
                row.logged = row.styled_text()
            rows.append(row)
        self.rows, _ = self._shortened(rows, 0)
        self.y, self.x = len(self.rows) - 1, self.rows[-1].width

    @property
    def alternate(self) -> bool:
        """Whether this is the alternate screen of a full-screen program, whose content is not logged."""
        return self._main is not None

    def leave_alternate(self) -> None:
        """Return to the main screen after a full-screen program."""
        if self._main is not None:
            self.rows, self.y, self.x = self._main
            self._main, self._margins = None, None

    def resize(self, columns: int, height: int) -> None:
        """Resize the terminal; the text stays."""
        self.columns, self.height, self._margins = columns, height, None
        if self._main is not None:
            # The main screen waits behind this one, whose rows are not logged.
            rows, y, x = self._main
            self._main = (*self._shortened(rows, y), x)
            del self.rows[: max(0, len(self.rows) - height)]
            self.y = min(self.y, len(self.rows) - 1)
            return
        self.rows, self.y = self._shortened(self.rows, self.y)

    def _shortened(self, rows: list[Row], y: int) -> tuple[list[Row], int]:
        """Scroll out the rows of the main screen that do not fit any more. Return the others and the cursor's row."""
        left_out = max(0, len(rows) - self.height)
        for row in rows[:left_out]:
            self._scrolled(row)
        return rows[left_out:], max(0, y - left_out)

    def _draw(self, text: str) -> None:
        cells = cells_of(text)
        if not cells:
            # Combining marks alone belong to the character before the cursor.
            row = self.rows[self.y]
            row.open()
            at = self.x - 1 if self.x and self.x <= len(row.cells) and row.cells[self.x - 1] else self.x - 2
            if 0 <= at < len(row.cells):
                row.cells[at] += text[: MAX_MARKS - len(row.cells[at])]
            return
        self._last = text[-1]
        style = self.styles.current
        if self.columns < 2:
            # There is no room for wide characters, which have an empty second cell.
            cells = [cell for cell, following in zip(cells, [*cells[1:], " "], strict=True) if cell and following]
        while cells:
            room = self.columns - self.x
            if room <= 0 or (room == 1 and len(cells) > 1 and cells[1] == ""):
                if not self._wraps:
                    cells = cells[-2:] if cells[-1] == "" else cells[-1:]
                    self.x = max(0, self.columns - len(cells))
                else:
                    self.rows[self.y].wrapped = True
                    self._down()
                    self.x = 0
                room = self.columns - self.x
            take = min(room, len(cells))
            if take < len(cells) and cells[take] == "":
                take -= 1
            row = self.rows[self.y]
            if self._inserts:
                row.insert(self.x, take, self.columns)
            row.write(self.x, cells[:take], style)
            self.x += take
            cells = cells[take:]

    @property
    def _top(self) -> int:
        return self._margins[0] if self._margins else 0

    @property
    def _bottom(self) -> int:
        return self._margins[1] if self._margins else self.height - 1

    def _to_column(self, x: int) -> None:
        last = self.columns if self._reach is None else max(self._reach, self.rows[self.y].width)
        self.x = max(0, min(x, last - 1, self.columns - 1))

    def _to_row(self, y: int) -> None:
        y = max(0, min(y, self.height - 1))
        while y >= len(self.rows):
            self.rows.append(Row(at=self.now))
        if y < self.y:
            self._up(self.y - y, 0)
        self.y = y

    def _up(self, count: int, top: int | None = None) -> None:
        least = self._top if top is None else top
        self.y = max(self.y - count, least if self.y >= least else 0)
        self.moved_up = self.now
        for row in self.rows[self.y :]:
            row.revisited, row.at = True, self.now

    def _move_down(self, count: int) -> None:
        last = min(self._bottom, len(self.rows) - 1) if self.y <= self._bottom else len(self.rows) - 1
        self.y = min(self.y + count, max(last, self.y))

    def _down(self) -> None:
        """Go to the next row; at the bottom, scroll."""
        self.rows[self.y].at = self.now
        if self.y == self._bottom or self.y >= self.height - 1:
            if self.y == self._bottom:
                self._scroll()
            return
        self.y += 1
        if self.y == len(self.rows):
            self.rows.append(Row(at=self.now))

    def _scroll(self) -> None:
        while len(self.rows) <= self._bottom:
            self.rows.append(Row(at=self.now))
        row = self.rows.pop(self._top)
        self.rows.insert(self._bottom, Row(at=self.now))
        if self._top == 0 and self._main is None:
            self._scrolled(row)

    def _tab(self, count: int = 1) -> None:
        """Go right by some tab stops."""
        if self._stops is None:
            self.x = min((self.x // 8 + count) * 8, self.columns - 1)
        else:
            at = bisect_right(self._stops, self.x) + count - 1
            self.x = min(self._stops[at], self.columns - 1) if at < len(self._stops) else self.columns - 1

    def _back_tab(self, count: int) -> None:
        """Go left by some tab stops."""
        if self._stops is None:
            self.x = max(0, ((self.x - 1) // 8 + 1 - count) * 8)
        else:
            at = bisect_left(self._stops, self.x) - count
            self.x = min(self._stops[at], self.columns - 1) if at >= 0 else 0

    def _set_tab_stop(self, *, on: bool) -> None:
        """Set or clear the tab stop at the cursor."""
        if self._stops is None:
            self._stops = list(range(8, self.columns, 8))
        at = bisect_left(self._stops, self.x)
        is_set = self._stops[at : at + 1] == [self.x]
        if on and not is_set:
            self._stops.insert(at, self.x)
        elif is_set and not on:
            del self._stops[at]

    def _set_margins(self, numbers: list[int]) -> None:
        top = max(0, (numbers[0] or 1) - 1)
        bottom = min(self.height, (numbers[1] if len(numbers) > 1 else 0) or self.height) - 1
        if bottom <= top:
            return
        self._margins = None if (top, bottom) == (0, self.height - 1) else (top, bottom)
        if self._margins:
            self._to_row(0)
            self.x = 0

    def _erase_line(self, how: int) -> None:
        row = self.rows[self.y]
        if how == 0:
            row.erase(self.x, self.columns)
            row.wrapped = False
        elif how == 1:
            row.erase(0, self.x + 1)
        elif how == 2:
            row.erase(0, self.columns)
            row.wrapped = False

    def _erase_display(self, how: int) -> None:
        if how in (0, 1):
            self._erase_line(how)
        rows = {0: self.rows[self.y + 1 :], 1: self.rows[: self.y], 2: self.rows}.get(how, [])
        for row in rows:
            row.set_plain("")
            row.wrapped = False

    def _insert_lines(self, count: int) -> None:
        if not self._top <= self.y <= self._bottom:
            return
        for _ in range(min(count, self.height)):
            self.rows.insert(self.y, Row(at=self.now))
            if len(self.rows) > self._bottom + 1:
                del self.rows[self._bottom + 1]

    def _delete_lines(self, count: int) -> None:
        if not self._top <= self.y <= self._bottom:
            return
        for _ in range(min(count, self.height)):
            end = min(self._bottom, len(self.rows) - 1)
            del self.rows[self.y]
            self.rows.insert(end, Row(at=self.now))
