"""A page as of a future seq is live until the log reaches that seq, and then equals a fresh load."""

from __future__ import annotations

import re

import pytest

from signalbox.store import NewEvent
from tests.support.dom import Node, parse
from tests.support.server import Server
from tests.support.sse import open_stream

AT = 100


def events(first: int, last: int) -> list[NewEvent]:
    """Return events `first` to `last` of a run with spans, phases, checkpoints and permissions."""
    new_events = []
    for seq in range(first, last + 1):
        span = f"item-{seq // 10}"
        kinds = {
            1: NewEvent(event_type="work_item_start", span_id=span, payload={"work_item_id": span}),
            4: NewEvent(event_type="phase_enter", phase=("planning", "executing", "verifying")[seq // 10 % 3]),
            5: NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": "c"}),
            6: NewEvent(event_type="permission_request", payload={"request_id": f"q-{seq}", "tool_name": "rm"}),
            8: NewEvent(event_type="work_item_progress", span_id=span, payload={"progress": {"percentage": seq}}),
            9: NewEvent(event_type="work_item_complete", span_id=span, payload={"work_item_id": span}),
        }
        new_events.append(kinds.get(seq % 10, NewEvent(event_type="log", payload={"message": f"line {seq}"})))
    return new_events


def main_of(html: str) -> Node:
    (found,) = parse(html).all("main")
    return found


def attribute(html: str, name: str) -> str:
    tag = re.search(r'<live-stream id="live"[^>]*>', html)
    assert tag, "the page is not live"
    match = re.search(rf'{name}="([^"]*)"', tag[0])
    assert match
    return match[1].replace("&amp;", "&")


@pytest.mark.parametrize(
    "page", ["", "/waterfall", "/timeline", "/spans", "/spans/item-1", "/checkpoints/c", "/permissions/q-6"]
)
def test_a_page_is_live_until_the_log_reaches_its_seq(server: Server, page: str) -> None:
    task = f"ahead{page.replace('/', '-')}"
    server.emit(task, *events(1, 30))
    address = f"/tasks/{task}{page}?at={AT}"
    html = server.get(address).text
    assert f"There is no #{AT}. #30 is the last event." in html
    main, seq = main_of(html), int(attribute(html, "data-seq"))
    source = attribute(html, "data-src")
    source = f"{address.partition('?')[0]}{source}" if source.startswith("?") else source
    for last in (60, 130):
        server.emit(task, *events(seq + 1, last))
        with open_stream(f"{server.url}{source}&since={seq}") as messages:
            while seq < min(last, AT):
                frame = next(message.data for message in messages if not message.event and message.data)
                main.apply(frame)
                seq = int((re.search(r'data-to="(\d+)"', frame) or ["", "0"])[1])
        seq = min(last, AT)
        fresh = server.get(address).text
        assert main.lines() == main_of(fresh).lines()
        banner = main.by_id("time-travel").text
        assert f"As of #{seq}" in banner
        assert ("There is no #" in banner) == (last < AT)
        seq = last
    assert '<live-stream id="live"' not in fresh


def test_a_page_as_of_an_existing_seq_is_not_live(server: Server) -> None:
    server.emit("there", *events(1, 30))
    for page in ("", "/waterfall", "/timeline"):
        assert '<live-stream id="live"' not in server.get(f"/tasks/there{page}?at=30").text
