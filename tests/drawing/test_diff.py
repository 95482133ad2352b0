"""Unified diffs are coloured, also in the middle of other text."""

from __future__ import annotations

import pytest

from signalbox.webapp.drawing.diff import MAX_LINES, diff_html, is_diff
from tests.support.dom import parse

DIFF = """The fix:
- a list item, not a removed line
diff --git a/x.py b/x.py
--- a/x.py
+++ b/x.py
@@ -1,3 +1,4 @@ def drain(queue):
 for message in queue:
-    ack(message)
+    handle(message)
+    ack(message)
 done
\\ No newline at end of file
- after the diff"""


def test_only_the_lines_of_hunks_are_coloured() -> None:
    tree = parse(str(diff_html(DIFF)))
    coloured = [(span.attributes["class"], span.text) for span in tree.all("span")]
    assert coloured == [
        ("diff-file", "diff --git a/x.py b/x.py"),
        ("diff-file", "--- a/x.py"),
        ("diff-file", "+++ b/x.py"),
        ("diff-hunk", "@@ -1,3 +1,4 @@ def drain(queue):"),
        ("diff-removed", "-    ack(message)"),
        ("diff-added", "+    handle(message)"),
        ("diff-added", "+    ack(message)"),
    ]
    assert tree.text == DIFF


@pytest.mark.parametrize(
    ("text", "expected"),
    [(DIFF, True), ("@@ -1 +1 @@\n-a\n+b", True), ("@@ -1 +1 @@", False), ("- a\n+ b", False), ("--- a\n+++ b", False)],
)
def test_a_diff_is_recognised_by_a_hunk(text: str, expected: bool) -> None:
    assert is_diff(text) is expected


def test_a_long_diff_is_coloured_at_its_beginning() -> None:
    html = str(diff_html("@@ -0,0 +1,50000 @@\n" + "+<b>\n" * 50_000))
    assert html.count("<span") == MAX_LINES
    assert "<b>" not in html
