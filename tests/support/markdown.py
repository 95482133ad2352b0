"""Extract code blocks, headings, links and tables from the docs (GitHub's dialect of Markdown)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

FENCE = re.compile(r"^```([^\s`]*) *([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its language, the word after it, its text, and the number of its first line."""

    language: str
    mark: str
    text: str
    line: int


def blocks(document: str) -> Iterator[Block]:
    """Return all fenced blocks in order."""
    for match in FENCE.finditer(document):
        yield Block(match[1], match[2], match[3], document.count("\n", 0, match.start()) + 1)


def prose(document: str) -> str:
    """Return the document without its fenced blocks."""
    return FENCE.sub("", document)


def links(document: str) -> list[str]:
    """Return the targets of all links and images."""
    return ["".join(parts) for parts in LINK.findall(prose(document))]


def anchors(document: str) -> set[str]:
    """Return the anchors of all headings, the possible targets of `#…` links."""
    return {anchor(title) for _, title in HEADING.findall(prose(document))}


def anchor(title: str) -> str:
    """Return the anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def section(document: str, title: str) -> str:
    """Return the text under a heading up to the next one of the same or a higher level; "" without such a heading."""
    match = re.search(rf"^(#+) {re.escape(title)}$", document, re.MULTILINE)
    if not match:
        return ""
    rest = document[match.end() :]
    end = re.search(rf"^#{{1,{len(match[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """Return the cells of all table rows in `text`, without headers and separator lines."""
    lines = [line for line in prose(text).splitlines() if line.startswith("|")]
    rules = {number for number, line in enumerate(lines) if re.fullmatch(r"[|\-: ]+", line)}
    heads = {number - 1 for number in rules}
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for number, line in enumerate(lines)
        if number not in rules | heads
    ]
