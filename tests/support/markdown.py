"""What tests read out of the docs: code blocks, headings, links, tables (GitHub's dialect of Markdown)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

FENCE = re.compile(r"^```([^\s`]*) *([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its language, the word after it, its text, and the line on which it begins."""

    language: str
    mark: str
    text: str
    line: int


def blocks(document: str) -> Iterator[Block]:
    """All fenced blocks in order."""
    for found in FENCE.finditer(document):
        yield Block(found[1], found[2], found[3], document.count("\n", 0, found.start()) + 1)


def prose(document: str) -> str:
    """The document without its fenced blocks."""
    return FENCE.sub("", document)


def links(document: str) -> list[str]:
    """The targets of all links and images."""
    return ["".join(found) for found in LINK.findall(prose(document))]


def anchors(document: str) -> set[str]:
    """What `#…` can point at."""
    return {anchor(title) for _, title in HEADING.findall(prose(document))}


def anchor(title: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def section(document: str, title: str) -> str:
    """The text under a heading, up to the next one of the same or a higher level; "" if there is no such heading."""
    found = re.search(rf"^(#+) {re.escape(title)}$", document, re.MULTILINE)
    if not found:
        return ""
    rest = document[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """The rows of all tables in `text`, heads and rules left out, as their cells."""
    lines = [line for line in prose(text).splitlines() if line.startswith("|")]
    rules = {number for number, line in enumerate(lines) if re.fullmatch(r"[|\-: ]+", line)}
    heads = {number - 1 for number in rules}
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for number, line in enumerate(lines)
        if number not in rules | heads
    ]
