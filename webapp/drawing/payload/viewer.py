"""The payload viewer: one value of an event in one of four views, with a search, as a fragment of any page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from signalbox.store.state import Task
from signalbox.webapp.drawing.diff import is_diff
from signalbox.webapp.drawing.markdown import looks_like_markdown
from signalbox.webapp.drawing.payload.address import PayloadAddress
from signalbox.webapp.drawing.payload.json_tree import json_tree
from signalbox.webapp.drawing.payload.leaves import leaves_html
from signalbox.webapp.drawing.payload.limits import CARD, PAGE, Limits
from signalbox.webapp.drawing.payload.search import Search
from signalbox.webapp.drawing.payload.shell import shell_commands
from signalbox.webapp.drawing.payload.strings import excerpts, indented, is_block, more, piece_end
from signalbox.webapp.http.view_choices import VIEWS
from signalbox.webapp.views.json_pointer import resolve
from signalbox.webapp.views.text import clean, compact

_BESIDE_A_MESSAGE = frozenset(("stream", "level", "at", "logger", "role"))


_NO_VIEWS: Mapping[str, str] = {}
SMALL_CHARS = 500
"""Characters of JSON below which a brief viewer needs no search."""


class PayloadViewer:
    """Renders viewers and their pieces."""

    def __init__(self, environment: Environment) -> None:
        self._template = environment.get_template("payload/_viewer.html")

    def render(
        self,
        payload: Any,
        address: PayloadAddress,
        view: str = "",
        query: str = "",
        start: int = 0,
        *,
        stored: str = "",
        limits: Limits = PAGE,
        preferred: Mapping[str, str] = _NO_VIEWS,
    ) -> Markup:
        """Return a viewer for the value at `address` in `payload`. Without a `view`, it has the one that reads best, or
        the one that the reader prefers to it.

        `payload` may be a part of the event's payload, if the names that lead to the value are the same. `start` is the
        first member or character to show, and `stored` the JSON of the value, if it is known. Raises LookupError if
        there is no such value.
        """
        value, commands = resolve(payload, address.pointer), shell_commands(payload)
        best = best_view(value, address.pointer, commands)
        view = view or preferred.get(best, best)
        search, stored = Search(query, value), stored or json_of(value)
        content = piece(value, address, view, search, start, commands, limits, stored)
        if start:
            content = _around_piece(content, view, is_text=view == "raw" or isinstance(value, str))
        return Markup(
            self._template.render(
                address=address,
                view=view,
                views=VIEWS,
                search=search,
                content=content,
                start=start,
                scrolls=limits is CARD,
                is_small=limits is CARD and len(stored) < SMALL_CHARS,
                bytes=len(stored.encode(errors="replace")),
            )
        )

    def of_event(
        self,
        payload: Any,
        path: str,
        task: Task,
        seq: int,
        pointer: str = "",
        view: str = "",
        *,
        brief: bool = False,
        preferred: Mapping[str, str] = _NO_VIEWS,
    ) -> Markup:
        """Return the same for a template that has the value. `path` is the address of the task.

        A page with many viewers should have `brief` ones.
        """
        address = PayloadAddress.of_event(path, task, seq, pointer)
        return self.render(payload, address, view, limits=CARD if brief else PAGE, preferred=preferred)


def piece(
    value: Any,
    address: PayloadAddress,
    view: str,
    search: Search,
    start: int = 0,
    commands: Mapping[str, str] | None = None,
    limits: Limits = PAGE,
    stored: str = "",
) -> Markup:
    """Return the content of a viewer, or the piece of it that begins at the member or character `start`."""
    if view == "raw":
        return _raw(stored or json_of(value), address, search, start, limits.text)
    if view == "json":
        return json_tree(value, address, search, start, limits)
    return leaves_html(value, address, search, start, view=view, commands=commands, limits=limits)


def _around_piece(content: Markup, view: str, *, is_text: bool) -> Markup:
    """Return a piece that is not loaded into its viewer but shown alone."""
    if is_text:
        element = "<div>{}</div>" if view == "markdown" else '<pre class="leaf-text">{}</pre>'
    else:
        element = '<div class="json-members">{}</div>' if view == "json" else '<div class="leaves">{}</div>'
    return Markup(element).format(content)


def best_view(value: Any, pointer: str, commands: Mapping[str, str]) -> str:
    """Return the view in which a value reads best."""
    if any(place == pointer or place.startswith(f"{pointer}/") for place in commands):
        return "text"
    text = _main_text(value)
    if not text:
        return "json"
    return "markdown" if looks_like_markdown(text) and not is_diff(text) and "\x1b" not in text else "text"


def exact(value: Any, stored: str = "") -> str:
    """Return a value as text to copy: a text as it is, anything else as indented JSON. `stored` is its JSON."""
    if isinstance(value, str):
        return value
    return indented(stored or json_of(value))


def json_of(value: Any) -> str:
    """Return a value as JSON. A value of an older version may be nested too deeply for that."""
    try:
        return compact(value)
    except RecursionError:
        return "(nested too deeply)"


def _main_text(value: Any) -> str:
    """Return the text of a value that is little else."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or len(value) > len(_BESIDE_A_MESSAGE) + 1:
        return ""
    texts = [item for name, item in value.items() if name not in _BESIDE_A_MESSAGE]
    return texts[0] if len(texts) == 1 and isinstance(texts[0], str) and is_block(texts[0]) else ""


def _raw(text: str, address: PayloadAddress, search: Search, start: int, most: int) -> Markup:
    if search and not start and len(text) > most:
        return Markup('<pre class="leaf-text">{}</pre>').format(excerpts(text, address, search))
    end = piece_end(text, start, most)
    html = search.mark(escape(clean(text[start:end]))) + more(text, address, end, "raw")
    return html if start else Markup('<pre class="leaf-text">{}</pre>').format(html)
