"""Test the handler of `logging` and the processor of structlog: records become lines, and the program goes on."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from signalbox.integrations.logging import SignalboxHandler
from signalbox.integrations.structlog import SignalboxProcessor
from signalbox.store import open_store, open_task
from tests.support.command import signalbox
from tests.support.reporting import events_in, run_python, tasks_in
from tests.support.server import Server


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("app.orders")
    logger.setLevel(logging.DEBUG)
    yield logger
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)


async def test_a_record_becomes_a_line_with_all_that_it_says(logger: logging.Logger, url: str) -> None:
    handler = SignalboxHandler(store=url, task="orders")
    logger.addHandler(handler)
    logger.info("order %d", 7, extra={"customer": {"id": 3}, "level": "gold"})
    handler.handle(logging.makeLogRecord({"msg": "broken arguments: %d", "args": ("x",)}))
    try:
        raise ValueError("no such customer")
    except ValueError:
        logger.exception("order failed")
    logging.getLogger("signalbox.store").addHandler(handler)
    logging.getLogger("signalbox.store").warning("about the store itself")
    logging.getLogger("signalbox.store").removeHandler(handler)
    assert handler.wait()
    first, failed = [event.payload for event in await events_in(url, "orders")]
    assert first == {
        "message": "order 7",
        "level": "info",
        "logger": "app.orders",
        "customer": {"id": 3},
        "level_": "gold",
    }
    assert failed["exception"] == "ValueError"
    assert failed["message"].startswith("order failed\nTraceback (most recent call last):\n")
    assert failed["message"].endswith("\nValueError: no such customer")


def test_the_delivery_of_lines_causes_no_further_lines(start_server: Callable[..., Server]) -> None:
    server = start_server()
    handler = SignalboxHandler(server=server.url, task="loop")
    client = logging.getLogger("httpx")
    client.addHandler(handler)
    client.setLevel(logging.DEBUG)
    try:
        for _ in range(3):
            client.info("a request of the program")
            assert handler.wait()
    finally:
        client.removeHandler(handler)
        client.setLevel(logging.NOTSET)
    events = server.get("/api/tasks/loop/events").json()["events"]
    assert [event["payload"]["message"] for event in events] == ["a request of the program"] * 3


async def test_lines_belong_to_the_step_that_the_program_has_open(logger: logging.Logger, url: str) -> None:
    store = open_store(url)
    with open_task(store, "steps") as task:
        handler = SignalboxHandler(store=url, task="steps")
        logger.addHandler(handler)
        with task.phase("planning"), task.work_item("a"):
            logger.info("inside")
        logger.info("outside")
        assert handler.wait()
    store.close()
    events = await events_in(url, "steps")
    item = next(event for event in events if event.event_type == "work_item_start")
    places = {event.payload["message"]: (event.span_id, event.phase) for event in events if event.event_type == "log"}
    assert places == {"inside": (item.span_id, "planning"), "outside": (events[0].span_id, None)}


PROGRAM = """
import logging, sys
from signalbox.integrations.logging import SignalboxHandler

logging.basicConfig(level=logging.INFO, handlers=[SignalboxHandler()])
logging.info("starting")
if len(sys.argv) > 1:
    {}[sys.argv[1]]
"""


@pytest.mark.long
async def test_a_program_is_a_task_with_its_name_and_its_end(url: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    for words in ([], ["rate"]):
        run_python("train.py", *words, cwd=tmp_path, SIGNALBOX_STORE_URL=url)
    failed, done = await tasks_in(url)
    assert [(task.title, task.status) for task in (failed, done)] == [("train.py", "failed"), ("train.py", "done")]
    assert failed.error == "'rate'"
    assert failed.heartbeat_interval == 10
    assert (await events_in(url, failed.task_id))[-1].payload["error_code"] == "KeyError"


async def test_a_program_below_signalbox_run_reports_to_that_run(url: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    words = ("run", "--store", url, "--task", "training", "--", sys.executable, str(tmp_path / "train.py"))
    done = signalbox(*words, SIGNALBOX_SERVER="http://127.0.0.1:9")  # the option takes precedence
    assert done.returncode == 0, done.stderr
    (task,) = await tasks_in(url)
    assert (task.task_id, task.status) == ("training", "done")
    lines = [event.payload for event in await events_in(url, "training") if event.event_type == "log"]
    assert {"message": "starting", "level": "info", "logger": "root"} in lines


async def test_structlog_events_become_lines_and_reach_the_next_processor_unchanged(url: str) -> None:
    processor = SignalboxProcessor(store=url, task="structured")
    seen: list[dict[str, Any]] = []

    def last(_: Any, __: str, event: Any) -> str:
        seen.append(dict(event))
        return ""

    log = structlog.wrap_logger(structlog.PrintLogger(), processors=[structlog.stdlib.add_log_level, processor, last])
    log.info("order", customer=3)
    try:
        raise ValueError("no such customer")
    except ValueError:
        log.exception("order failed", customer=4)
    assert processor.wait()
    first, failed = [event.payload for event in await events_in(url, "structured")]
    assert first == {"message": "order", "level": "info", "customer": 3}
    assert (failed["level"], failed["exception"], failed["customer"]) == ("error", "ValueError", 4)
    assert failed["message"].endswith("\nValueError: no such customer")
    assert seen[0] == {"event": "order", "level": "info", "customer": 3}
