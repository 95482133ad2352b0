"""A live task page without a browser: it loads once over HTTP, and then applies the frames of its stream."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from html import unescape

import httpx

from e2e.chaos.readers import Reader
from tests.support.dom import Node, parse
from tests.support.strict_client import stream

SILENCE_S = 8.0
"""Seconds without a byte after which the viewer connects again."""

_LIVE = re.compile(r'<live-stream id="live" data-src="([^"]+)"[^>]*? data-seq="(\d+)"')
_WINDOW = re.compile(r' data-window="(\d+)"')
_POSITION = re.compile(r'<hx-frame data-from="(\d+)" data-to="(\d+)" ')
_PARTIAL = re.compile(r'<hx-partial hx-target="#([^"]+)" hx-swap="(\w+)">(.*?)</hx-partial>', re.DOTALL)
_ROW = re.compile(r'(?=<li id="e\d+")')
_ROW_SEQ = re.compile(r'<li id="e(\d+)"')
_ROWS = "log-rows"


@dataclass
class PageContent:
    """The page as it was loaded, and the newest version of each part that a frame has replaced since.

    Frames are not applied one by one, because hundreds of pages share a core with the servers. A part is stored in
    the order of its last change, so applying the stored parts gives the page that applying every frame gives.
    """

    html: str
    window: int
    parts: dict[str, tuple[str, str]] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)
    keeps_first_rows: bool = True

    def take(self, target: str, how: str, html: str) -> None:
        """Replace a part, or add rows to the log."""
        if target != _ROWS:
            self.parts.pop(target, None)
            self.parts[target] = how, html
            return
        if how != "beforeend":
            self.rows, self.keeps_first_rows = [], False
        self.rows += rows_of(html)
        del self.rows[: -self.window]

    def lines(self) -> list[str]:
        """Return the content of the page's `<main>`, one element or text per line."""
        main = main_of(self.html)
        for target, (how, html) in self.parts.items():
            # A part inside a part that was replaced later may be gone.
            if any(node.attributes.get("id") == target for node in main.walk()):
                main.apply(f'<hx-partial hx-target="#{target}" hx-swap="{how}">{html}</hx-partial>')
        how = "beforeend" if self.keeps_first_rows else "innerHTML"
        rows = f'<hx-partial hx-target="#{_ROWS}" hx-swap="{how}">{"".join(self.rows)}</hx-partial>'
        main.apply(rows, self.window)
        return main.lines()


class PageViewer(Reader):
    """Follow a task page. `seen` holds the seqs of the rows that the page has shown, in the order of their arrival."""

    def __init__(self, url: str, task_id: str, loop: asyncio.AbstractEventLoop, *, max_pause: float) -> None:
        self._url = url
        self._source = ""
        self.cursor = 0
        self.content: PageContent | None = None
        super().__init__(int(url.rpartition(":")[2]), task_id, loop, max_pause=max_pause)

    async def _read(self) -> None:
        if self.content is None:
            await self._load()
        address = f"{self._source}&since={self.cursor}"
        messages = stream("127.0.0.1", self.port, address, {})
        while True:
            try:
                message = await asyncio.wait_for(anext(messages), SILENCE_S)
            except StopAsyncIteration:
                return
            self.connects += message.comment == "open"
            if message.event == "reset":
                self.errors.append(f"the page of {self.task_id} at #{self.cursor} was told to start over")
                self.content, self.seen = None, []
                return
            if message.event == "reconnect":
                await asyncio.sleep(min(1.0, (message.retry or 0) / 1000))
                return
            if not message.event and message.id:
                self._apply(message.data)

    async def _load(self) -> None:
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            try:
                answer = await client.get(f"{self._url}/tasks/{self.task_id}", headers={"Accept": "text/html"})
                answer.raise_for_status()
            except httpx.HTTPError as error:
                raise ConnectionError(str(error)) from error
        html = answer.text
        live, window = _LIVE.search(html), _WINDOW.search(html)
        assert live, f"the page of {self.task_id} has no stream"
        assert window, f"the page of {self.task_id} has no log"
        self._source, self.cursor = unescape(live[1]), int(live[2])
        self.seen = [int(seq) for seq in _ROW_SEQ.findall(html)]
        self.content = PageContent(html, int(window[1]))

    def _apply(self, frame: str) -> None:
        position = _POSITION.match(frame.lstrip())
        assert position, f"a frame of {self.task_id} does not begin with its position: {frame[:80]!r}"
        first, last = int(position[1]), int(position[2])
        if last < self.cursor or (last == self.cursor and first != last):
            return  # The page has this frame already, as a browser does.
        assert first <= self.cursor, f"the page of {self.task_id} at #{self.cursor} got a frame after #{first}"
        assert self.content is not None
        for target, how, html in _PARTIAL.findall(frame):
            if target == _ROWS:
                html = self._new_rows(html, how, last)
            self.content.take(target, how, html)
        self.cursor = last

    def _new_rows(self, html: str, how: str, last: int) -> str:
        """Return the rows that the page does not have, after a check that none is missing."""
        rows = [row for row in rows_of(html) if _seq_of(row) > self.cursor]
        seqs = [_seq_of(row) for row in rows]
        assert self.content is not None
        # A page that is far behind gets the newest window of rows instead of all.
        first = self.cursor + 1 if how == "beforeend" else max(self.cursor + 1, last - self.content.window + 1)
        if seqs != list(range(first, last + 1)):
            self.errors.append(f"the page of {self.task_id} at #{self.cursor} got the rows {seqs[:5]}… up to #{last}")
        self.seen += range(self.cursor + 1, first)
        self.seen += seqs
        return "".join(rows)


def rows_of(html: str) -> list[str]:
    """Return the rows of a log."""
    return [row for row in _ROW.split(html) if row.strip()]


def _seq_of(row: str) -> int:
    found = _ROW_SEQ.match(row)
    assert found, f"a row without its seq: {row[:80]!r}"
    return int(found[1])


def main_of(html: str) -> Node:
    """Return the `<main>` of a page."""
    (main,) = parse(html).all("main")
    return main
