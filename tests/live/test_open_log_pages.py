"""A log page that stays open, at any address, ends equal to a page loaded at that address now."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from signalbox.store import NewEvent
from tests.support.dom import Node, parse
from tests.support.server import Server
from tests.support.sse import open_stream

PLACES = ({"before": 100}, {"around": 100}, {"after": 100}, {"around": 30}, {"before": 1}, {"after": 0}, {})
SEARCHES = ({"q": "line 1"}, {"type": "runner_heartbeat"}, {"failed": 1}, {"q": "line", "level": "error"})


def events(rng: random.Random, first: int, last: int) -> Iterator[NewEvent]:
    """Yield log lines `first` to `last`, some of them errors, mixed with heartbeats."""
    for seq in range(first, last + 1):
        if rng.random() < 0.3:
            yield NewEvent(event_type="runner_heartbeat")
        else:
            level = {"level": "error"} if rng.random() < 0.1 else {}
            yield NewEvent(event_type="log", payload={"message": f"line {seq}", **level})


def addresses(rng: random.Random) -> Iterator[dict[str, int | str]]:
    """Yield query parameters of log pages: those listed above, and as many random ones."""
    yield from PLACES
    yield from ({**search, "after": after} for search in SEARCHES for after in (0, 40))
    for _ in range(len(PLACES)):
        places: list[dict[str, int]] = [{name: rng.randint(1, 150)} for name in ("before", "after", "around")]
        yield {**rng.choice(places), **rng.choice([{}, {"heartbeats": 1}, {"failure_after": 20}])}


class OpenPage:
    """A page that stays open; `follow` applies frames until the page has reached a seq."""

    def __init__(self, server: Server, address: str) -> None:
        self._server = server
        self.address = str(server.get(address, follow_redirects=True).url).removeprefix(server.url)
        html = server.get(self.address).text
        self.main = main_of(html)
        self._stream = (re.search(r'data-src="([^"]*)"', html) or [""])[1].replace("&amp;", "&")
        self._seq = int((re.search(r'data-seq="(\d+)"', html) or ["", "0"])[1])

    def follow(self, latest: int) -> None:
        path = self.address.partition("?")[0]
        with open_stream(f"{self._server.url}{path}{self._stream}&since={self._seq}") as messages:
            while self._seq < latest:
                frame = next(message.data for message in messages if not message.event and message.data)
                self.main.apply(frame)
                self._seq = int((re.search(r'data-to="(\d+)"', frame) or ["", "0"])[1])


def main_of(html: str) -> Node:
    (found,) = parse(html).all("main")
    return found


@pytest.mark.long
def test_any_open_log_page_equals_a_fresh_load_of_its_address(server: Server) -> None:
    rng = random.Random(1)
    task = "left-open"
    server.emit(task, *events(rng, 1, 30))
    pages = [OpenPage(server, f"/tasks/{task}/log?{urlencode(query)}") for query in addresses(rng)]
    for first, last in ((31, 125), (126, 400)):
        server.emit(task, *events(rng, first, last))
        for page in pages:
            page.follow(last)
            fresh = main_of(server.get(page.address, follow_redirects=True).text)
            assert page.main.lines() == fresh.lines(), page.address


def test_a_page_at_a_future_seq_shows_it_once_it_is_appended(server: Server) -> None:
    server.emit("ahead", *[f"line {n}" for n in range(1, 31)])
    before, around = (f"/tasks/ahead/log?{name}=100" for name in ("before", "around"))
    pages = [OpenPage(server, before), OpenPage(server, around)]
    assert [page.address for page in pages] == [before, around]
    server.emit("ahead", *[f"line {n}" for n in range(31, 126)])
    for page in pages:
        page.follow(125)
    first, second = ([row.attributes["id"] for row in page.main.all("li")] for page in pages)
    assert first == [f"e{seq}" for seq in range(1, 100)]
    assert second == [f"e{seq}" for seq in range(1, 126)]
