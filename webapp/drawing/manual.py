"""The docs of this version as pages: Markdown files of the project, with links between them and an id for each heading.

Unlike the Markdown of runs (`markdown.py`) these texts are our own, so their links need no warning. Pictures are not
installed with the program, so only their descriptions appear.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

import signalbox
from signalbox.webapp.drawing.links import EXTERNAL_ATTRIBUTES
from signalbox.webapp.drawing.markdown import TableRenderer

FOLDER = Path(signalbox.__file__).parent / "docs"
ORDER = (
    "command", "python", "integrations", "job-queues", "orchestrators", "opentelemetry", "coding-agents", "mcp",
    "events", "pages", "agents", "people", "settings", "operations", "retention", "cold-storage", "verification",
    "deployment", "postgresql", "capacity", "api", "streams",
    "dialects", "browser", "architecture", "glossary",
)  # fmt: skip
"""The files of the manual in the order of the list; a file that is not named here is left out."""

_LINK = re.compile(r"(?:(?P<name>[a-z-]+)\.md)?(?P<anchor>#[\w-]+)?\Z")


class ManualChapter(NamedTuple):
    """One file of the docs: its title and its HTML without the title."""

    title: str
    html: Markup


@lru_cache(maxsize=1)
def titles() -> dict[str, str]:
    """Return the title of each chapter by name, in the order of the manual."""
    found = {name: FOLDER / f"{name}.md" for name in ORDER}
    return {name: _title(path.read_text(encoding="utf-8")) for name, path in found.items() if path.is_file()}


@lru_cache(maxsize=64)
def chapter(name: str, base: str) -> ManualChapter | None:
    """Return a chapter of the manual, whose links to others begin with `base`; None if there is none with this name."""
    if name not in titles():
        return None
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    title, _, body = text.partition("\n")
    return ManualChapter(title.removeprefix("# "), Markup(_parser.render(body, {"base": base, "ids": {}})))


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ")


class _Renderer(TableRenderer):
    """Renders a picture as its description."""

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"<i>Picture: {escape(tokens[idx].content)}</i>"


def _prepare(state: Any) -> None:
    """Set the ids of headings and the addresses of links."""
    for at, token in enumerate(state.tokens):
        if token.type == "heading_open":
            token.attrSet("id", _heading_id(state.tokens[at + 1], state.env["ids"]))
        token.attrs.pop("style", None)  # The policy of the pages allows no inline styles.
        _prepare_links(token.children or [], state.env["base"])


def _prepare_links(tokens: Sequence[Token], base: str) -> None:
    without_target = False
    for token in tokens:
        if token.type == "link_open":
            address = str(token.attrs["href"])
            known = _LINK.match(address)
            without_target = known is None and "://" not in address
            if known and known["name"]:
                token.attrSet("href", f"{base}{known['name']}{known['anchor'] or ''}")
            elif known is None:
                for name, value in EXTERNAL_ATTRIBUTES.items():
                    token.attrSet(name, value)
        if without_target and token.type in ("link_open", "link_close"):
            # The file, such as an example, is in the repository but not in the program.
            without_target = token.type == "link_open"
            token.tag, token.attrs = "span", {}


def _heading_id(words: Token, taken: dict[str, int]) -> str:
    """Return the id that GitHub gives a heading, because the links of the docs use those."""
    text = "".join(child.content for child in words.children or ())
    name = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
    number = taken.get(name, 0)
    taken[name] = number + 1
    return f"{name}-{number}" if number else name


class _Parser(MarkdownIt):
    def __init__(self) -> None:
        super().__init__("commonmark", {"html": True}, renderer_cls=_Renderer)
        self.enable("table")
        self.core.ruler.push("prepare", _prepare)


_parser = _Parser()
