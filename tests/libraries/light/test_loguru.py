"""Test the sink of loguru."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from loguru import logger

from signalbox.integrations.loguru import SignalboxSink
from tests.support.reporting import events_in


@pytest.fixture
def sink(url: str) -> Iterator[SignalboxSink]:
    sink = SignalboxSink(store=url, task="orders")
    added = logger.add(sink, level="DEBUG")
    yield sink
    logger.remove(added)


async def test_messages_become_lines_with_level_module_extra_and_exception(sink: SignalboxSink, url: str) -> None:
    logger.bind(customer=3).info("order {}", 7)
    logger.success("paid")
    try:
        raise ValueError("no such customer")
    except ValueError:
        logger.exception("order failed")
    assert sink.wait()
    first, paid, failed = [event.payload for event in await events_in(url, "orders")]
    assert first == {"message": "order 7", "level": "info", "logger": __name__, "customer": 3}
    assert (paid["message"], paid["level"]) == ("paid", "info")
    assert (failed["level"], failed["exception"]) == ("error", "ValueError")
    assert failed["message"].startswith("order failed\nTraceback (most recent call last):\n")
    assert failed["message"].endswith("\nValueError: no such customer")
