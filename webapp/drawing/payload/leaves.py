"""The values of a payload one after the other, each after the names that lead to it: as text, or as Markdown."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from signalbox.webapp.drawing.links import linked
from signalbox.webapp.drawing.markdown import MAX_CHARS, looks_like_markdown, markdown_html
from signalbox.webapp.drawing.payload.address import PayloadAddress
from signalbox.webapp.drawing.payload.limits import PAGE, Limits
from signalbox.webapp.drawing.payload.search import Search, scalar_text
from signalbox.webapp.drawing.payload.shell import command_html
from signalbox.webapp.drawing.payload.strings import is_block, more, piece_end, text_html
from signalbox.webapp.views.json_pointer import child, names
from signalbox.webapp.views.text import clean, compact, count, size

SMALL_CHARS = 100
SAMPLE = 25
MAX_LINE_CHARS = 2000
TextHtml = Callable[[str, PayloadAddress, Search, int, int], Markup]


class Leaf(NamedTuple):
    """A value without parts of interest, and the names that lead to it. A pointer for each would repeat long names."""

    path: tuple[str, ...]
    value: Any


def leaves(
    value: Any, path: tuple[str, ...], commands: Collection[tuple[str, ...]], *, long_lists: bool = True
) -> Iterator[Leaf]:
    """Yield the values inside `value`, which is at `path`.

    Commands, small containers and, with `long_lists`, lists of short values are not taken apart.
    """
    above_commands = {place[:at] for place in commands for at in range(len(place))}
    waiting: list[Iterator[tuple[tuple[str, ...], Any]]] = [iter([(path, value)])]
    while waiting:
        place, item = next(waiting[-1], ((), _END))
        if item is _END:
            waiting.pop()
            continue
        is_whole = place in commands or not isinstance(item, dict | list)
        if not is_whole and place not in above_commands:
            is_whole = not item or (place != path and _is_small(item, long_lists=long_lists))
        if is_whole:
            yield Leaf(place, item)
        else:
            waiting.append(_parts(place, item))


_END = object()


def _parts(path: tuple[str, ...], container: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, item in container.items() if isinstance(container, dict) else enumerate(container):
        yield (*path, str(name)), item


def _is_small(container: Any, *, long_lists: bool) -> bool:
    """Return whether a container reads best as one line of JSON: a list of short values, or an object with few."""
    parts = list(islice(container.values() if isinstance(container, dict) else container, SAMPLE))
    if any((isinstance(part, dict | list) and part) or _is_long(part) for part in parts):
        return False
    return (long_lists and isinstance(container, list)) or (
        len(parts) == len(container) and len(compact(container)) <= SMALL_CHARS
    )


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and (len(value) > SMALL_CHARS // 2 or "\n" in value)


def leaves_html(
    value: Any,
    address: PayloadAddress,
    search: Search,
    start: int = 0,
    *,
    view: str,
    commands: Mapping[str, str] | None = None,
    limits: Limits = PAGE,
) -> Markup:
    """Return the values inside `value`. `start` is the first of them, or the first character of a text."""
    block = markdown_block if view == "markdown" else text_block
    if isinstance(value, str) and address.pointer not in (commands or {}):
        return block(value, address, search, start, limits.text)
    if not search and (only := _only_text(value)) and child(address.pointer, only) not in (commands or {}):
        return block(value[only], address.at(child(address.pointer, only)), search, 0, limits.text)
    out, left, shown, skipped = [], limits.html, 0, 0
    labels = _Labels(search)
    here, by_path = tuple(names(address.pointer)), {tuple(names(at)): text for at, text in (commands or {}).items()}
    found = leaves(value, here, by_path, long_lists=not search)
    for at, leaf in enumerate(islice(found, start, None), start):
        path = leaf.path[len(here) :]
        if search and not _found(leaf.value, path, search):
            skipped += 1
            continue
        if shown == limits.values or left <= 0:
            out.append(address.piece("Show more values", at, view))
            break
        if skipped:
            out.append(_gap(skipped))
        label, is_inner = labels.of(path)
        place = address.at(functools.reduce(child, path, address.pointer))
        html, is_long = _value(leaf.value, place, search, block, by_path.get(leaf.path), limits.text)
        html = label + _LEAF.format(" leaf--block" * is_long, " leaf--inner" * is_inner, labels.name(path), html)
        shown, skipped, left = shown + 1, 0, left - len(html)
        out.append(html)
    if skipped:
        out.append(_gap(skipped))
    return Markup("").join(out) if start else Markup('<div class="leaves">{}</div>').format(Markup("").join(out))


def _only_text(value: Any) -> str:
    """Return the key of a text that is all of a payload, and so needs no name."""
    if not isinstance(value, dict) or len(value) != 1:
        return ""
    ((name, text),) = value.items()
    return name if isinstance(text, str) and is_block(text) else ""


_LEAF = Markup('<div class="leaf{}{}"><span class="leaf-name">{}</span>{}</div>')


class _Labels:
    """The names of values. A heading has those of the containers around the following values."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._above: tuple[str, ...] = ()

    def of(self, path: tuple[str, ...]) -> tuple[Markup, bool]:
        """Return the heading before the value at `path`, if it needs a new one, and whether it is below a heading."""
        above = path[:-1]
        if above == self._above:
            return Markup(""), bool(above)
        # A search marks only the names that the heading before it has not, so that each counts once.
        same = next((at for at, (old, new) in enumerate(zip(self._above, above, strict=False)) if old != new), None)
        known = min(len(self._above), len(above)) if same is None else same
        self._above = above
        if not above:
            return Markup(""), False
        shown = [_name(name) if at < known else self.name((name,)) for at, name in enumerate(above)]
        return Markup('<div class="leaf leaf--group leaf-name">{}</div>').format(Markup(" › ").join(shown)), True

    def name(self, path: tuple[str, ...]) -> Markup:
        """Return the last name of a path."""
        return self._search.mark(_name(path[-1])) if path else Markup("")


def _name(name: str) -> Markup:
    return escape(clean(name[:200]))


def text_block(text: str, address: PayloadAddress, search: Search, start: int, most: int) -> Markup:
    """Return a text as it was written."""
    html = text_html(text, address, search, start, most)
    return html if start else Markup('<pre class="leaf-text" dir="auto">{}</pre>').format(html)


def markdown_block(text: str, address: PayloadAddress, search: Search, start: int, most: int) -> Markup:
    """Return a text as Markdown."""
    end = piece_end(text, start, min(most, MAX_CHARS))
    return search.mark(markdown_html(text[start:end])) + more(text, address, end, "markdown")


def _found(value: Any, path: Iterable[str], search: Search) -> bool:
    if any(search.names(name) for name in path):
        return True
    text = compact(value) if isinstance(value, dict | list) else scalar_text(value)
    return bool(search.spans(text))


def _value(
    value: Any,
    address: PayloadAddress,
    search: Search,
    block: TextHtml,
    command: str | None,
    most: int,
) -> tuple[Markup, bool]:
    """Return a value, and whether it is a block."""
    if command is not None:
        return command_html(command, search, address, most), True
    if isinstance(value, str) and (is_block(value) or (block is markdown_block and looks_like_markdown(value))):
        return block(value, address, search, 0, most), True
    text = value if isinstance(value, str) else compact(value)
    html = Markup('<span dir="auto">{}</span>').format(search.mark(linked(text[:MAX_LINE_CHARS])))
    if len(text) > MAX_LINE_CHARS:
        html += Markup('… <a href="{}">Show all {}</a>').format(address.url(view="json"), size(len(text)))
    return html, False


def _gap(number: int) -> Markup:
    return Markup('<div class="leaf gap">… {} without a match …</div>').format(count(number))
