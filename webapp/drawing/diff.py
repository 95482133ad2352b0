"""Unified diffs as HTML: one element per line that is added, removed or a heading."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from signalbox.webapp.views.text import clean

MAX_LINES = 2000
"""Lines that are coloured. The rest of a longer diff is plain."""

_HUNK = re.compile(r"@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@")
_SEARCHED = 20_000
_CLASSES = {"+": "diff-added", "-": "diff-removed", "@": "diff-hunk"}
_HEADINGS = (
    "diff --git ",
    "index ",
    "--- ",
    "+++ ",
    "new file mode ",
    "deleted file mode ",
    "rename ",
    "similarity index ",
)


def is_diff(text: str) -> bool:
    """Return whether `text` contains a unified diff: a line such as `@@ -1,4 +1,6 @@` with a change after it."""
    if "@@ -" not in text[:_SEARCHED]:
        return False
    return any(name in ("diff-added", "diff-removed") for name, _ in _in_hunks(text[:_SEARCHED].split("\n")))


def diff_html(text: str) -> Markup:
    """Return a text that contains unified diffs. Only lines inside hunks and the headings of files are coloured."""
    return _html(_in_hunks(text.split("\n")))


def diff_block_html(text: str) -> Markup:
    """Return a text that says of itself that it is a diff: each line is coloured by its first character."""
    return _html([(_heading(line) or _CLASSES.get(line[:1], ""), line) for line in text.split("\n")])


def _in_hunks(lines: list[str]) -> list[tuple[str, str]]:
    """Return each line with its class. The heading of a hunk says how many lines belong to it."""
    out: list[tuple[str, str]] = []
    old = new = 0
    for line in lines:
        first = line[:1]
        if found := _HUNK.match(line):
            old, new = (int(count) if count else 1 for count in found.groups())
            out.append(("diff-hunk", line))
        elif old <= 0 and new <= 0:
            out.append((_heading(line), line))
        else:
            old -= first not in ("+", "\\")
            new -= first not in ("-", "\\")
            out.append((_CLASSES.get(first, "") if first in "+-" else "", line))
    return out


def _heading(line: str) -> str:
    return "diff-file" if line.startswith(_HEADINGS) else ""


def _html(lines: list[tuple[str, str]]) -> Markup:
    shown = [
        f'<span class="{name}">{escape(clean(line))}</span>' if name else str(escape(clean(line)))
        for name, line in lines[:MAX_LINES]
    ]
    rest = [str(escape(clean("\n".join(line for _, line in lines[MAX_LINES:]))))] if len(lines) > MAX_LINES else []
    return Markup("\n".join(shown + rest))
