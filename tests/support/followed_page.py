"""A live page that stays open: it applies the frames of its stream as a browser does."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urljoin

import httpx

from tests.support.dom import Node, parse
from tests.support.sse import Message, message_of

_STREAM = re.compile(r'<live-stream [^>]*data-src="([^"]*)" [^>]*data-seq="(\d+)"')
_POSITION = re.compile(r'data-from="(\d+)" data-to="(\d+)"')


def is_live(html: str) -> bool:
    """Return whether a page has a stream."""
    return _STREAM.search(html) is not None


class FollowedPage:
    """The page at `address`. `follow` keeps it up to date until it is cancelled; `connected` says that it does."""

    def __init__(self, client: httpx.AsyncClient, address: str) -> None:
        self._client = client
        self.address = address
        self.connected = False
        self._main = Node("main", {})
        self._source = ""
        self._seq = 0

    async def follow(self) -> None:
        """Load the page and apply its frames. Load it again when its stream ends."""
        while True:
            html = (await self._client.get(self.address)).raise_for_status().text
            found = _STREAM.search(html)
            assert found is not None
            self._main, self._seq = _main_of(html), int(found[2])
            await self._apply_frames(urljoin(self.address, unescape(found[1])))

    async def difference(self) -> str:
        """Return how the page differs from a fresh one, or "" if it does not."""
        fresh = _main_of((await self._client.get(self.address)).raise_for_status().text).lines()
        live = self._main.lines()
        if live == fresh:
            return ""
        lacks, extra = ([line for line in a if line not in b][:3] for a, b in ((fresh, live), (live, fresh)))
        return f"{self.address} lacks {lacks} and has {extra}"

    async def _apply_frames(self, source: str) -> None:
        names = (node.attributes.get("data-shown") for node in self._main.walk())
        position = {"since": str(self._seq), "shown": next(filter(None, names), "")}
        url = httpx.URL(source).copy_merge_params(position)
        block: list[str] = []
        async with self._client.stream("GET", url, timeout=60) as stream:
            async for line in stream.aiter_lines():
                if line:
                    block.append(line)
                elif block:
                    message, block = message_of(block), []
                    if message.event == "reset":
                        break
                    self._take(message)

    def _take(self, message: Message) -> None:
        self.connected = self.connected or message.event == "heartbeat"
        position = _POSITION.search(message.data)
        if position is None:
            return
        start, end = map(int, position.groups())
        assert start <= self._seq, "a frame was lost"
        if end > self._seq or start == end == self._seq:
            self._main.apply(message.data)
            self._seq = end


def _main_of(html: str) -> Node:
    (found,) = parse(html).all("main")
    return found
