"""A small DOM: parse pages, swap frames in as a browser does, and compare a live page with a fresh one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "hr", "img"}
_PARTIAL = re.compile(r'<hx-partial hx-target="#([^"]+)" hx-swap="(\w+)">(.*?)</hx-partial>', re.DOTALL)


class Node:
    """An element. Its children are elements and texts."""

    def __init__(self, tag: str, attributes: dict[str, str | None]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Node | str] = []

    def walk(self) -> Iterator[Node]:
        """Yield this element and all its descendants, in the order of the document."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += [child for child in reversed(node.children) if isinstance(child, Node)]

    def copy(self) -> Node:
        """Return a copy of this element and all its descendants."""
        new = Node(self.tag, self.attributes)
        new.children = [child if isinstance(child, str) else child.copy() for child in self.children]
        return new

    def by_id(self, name: str) -> Node:
        """Return the only element with this id."""
        (found,) = (node for node in self.walk() if node.attributes.get("id") == name)
        return found

    def all(self, tag: str) -> list[Node]:
        """Return all elements with this tag."""
        return [node for node in self.walk() if node.tag == tag]

    @property
    def text(self) -> str:
        """Return the text of this element and all its descendants."""
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def lines(self, depth: int = 0) -> list[str]:
        """Return the tree with one line per element or text, without volatile elements and without blank texts."""
        result: list[str] = []
        self._add_lines(result, " " * depth)
        return result

    def _add_lines(self, lines: list[str], indent: str) -> None:
        if "data-volatile" in self.attributes:
            return
        lines.append(f"{indent}<{self.tag} {sorted(self.attributes.items())}>")
        inner = f"{indent} "
        for child in self.children:
            if isinstance(child, Node):
                child._add_lines(lines, inner)
            elif words := child.split():
                lines.append(inner + " ".join(words))

    def apply(self, frame: str, window: int | None = None) -> None:
        """Swap in the parts of a frame. With a `window`, then keep only that many of the newest log rows."""
        for target, how, html in _PARTIAL.findall(frame):
            node, new = self.by_id(target), _parse_once(html).copy()
            if how in ("outerMorph", "outerHTML"):
                (element,) = (child for child in new.children if isinstance(child, Node))
                node.tag, node.attributes, node.children = element.tag, element.attributes, element.children
            else:
                assert how in ("beforeend", "innerHTML"), how
                node.children = [*(node.children if how == "beforeend" else ()), *new.children]
        if window is None:
            return
        rows = self.by_id("log-rows")
        rows.children = rows.children[-window:]


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        self._open[-1].children.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Node(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
            self._open.pop()

    def handle_data(self, data: str) -> None:
        children = self._open[-1].children
        if children and isinstance(children[-1], str):
            children[-1] += data
        else:
            children.append(data)

    def close(self) -> None:
        super().close()
        assert self._open == [self.root], f"<{self._open[-1].tag}> is not closed"


def parse(html: str) -> Node:
    """Parse a page or a part of one into a tree. Raise AssertionError if elements are not closed in order."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    return builder.root


_parse_once = lru_cache(maxsize=100)(parse)  # A frame is often applied to several pages.
