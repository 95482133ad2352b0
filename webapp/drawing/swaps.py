"""The elements of a frame: the position that it leads to, and the swaps that htmx performs.

See `static/js/live-stream.js` for how a page uses them.
"""

from __future__ import annotations


def position(since: int, to: int) -> str:
    """Return the element that says that a frame leads from the position `since` to `to`."""
    return f'<hx-frame data-from="{since}" data-to="{to}" data-latest="{to}"></hx-frame>\n'


def swap(target: str, how: str, html: str) -> str:
    """Return the element that puts `html` at the DOM id `target`; `how` is an hx-swap style."""
    return f'<hx-partial hx-target="#{target}" hx-swap="{how}">{html}</hx-partial>'
