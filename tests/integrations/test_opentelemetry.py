"""The span processor for OpenTelemetry's SDK: spans are in the log while they run, once, and in the right task."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import Tracer, format_span_id, format_trace_id

from signalbox.integrations.opentelemetry import SignalboxSpanProcessor, run_context
from signalbox.integrations.opentelemetry.reading import trace_span
from signalbox.store import Event, open_task
from signalbox.store.sqlite import SqliteStore
from signalbox.store.trace_context import traceparent_of
from signalbox.store.traces import end_events, events_of_span
from tests.support.command import environment, signalbox
from tests.support.log import log_of, spans_of, task_of, tasks_of
from tests.support.paths import ROOT
from tests.support.server import Server
from tests.support.waiting import wait_until


class Program:
    """A program with a tracer whose spans go to a store."""

    def __init__(self, url: str, resource: Resource | None = None, **options: object) -> None:
        self.processor = SignalboxSpanProcessor(url, **options)  # type: ignore[arg-type]
        self.provider = TracerProvider(resource=resource or Resource({"service.name": "shop"}), shutdown_on_exit=False)
        self.provider.add_span_processor(self.processor)
        self.tracer: Tracer = self.provider.get_tracer("tests", "1.0")


@pytest.fixture
def program(url: str) -> Iterator[Program]:
    found = Program(url)
    yield found
    found.provider.shutdown()


def log_of_the_trace(store: SqliteStore) -> list[Event]:
    return [event for task in tasks_of(store) for event in log_of(store, task.task_id)]


def test_an_unfinished_span_is_in_the_log_within_a_second(program: Program, store: SqliteStore) -> None:
    times = []
    while len(times) < 5 and min(times, default=1.0) >= 1:  # A busy machine may delay one.
        with program.tracer.start_as_current_span("a try"):
            begun, before = time.monotonic(), len(tasks_of(store))
            wait_until(lambda before=before: len(tasks_of(store)) > before)
            times.append(time.monotonic() - begun)
    assert min(times) < 1


def test_an_unfinished_span_shows_what_is_known(program: Program, store: SqliteStore) -> None:
    with program.tracer.start_as_current_span("checkout", attributes={"user": "ann"}) as span:
        wait_until(lambda: bool(log_of_the_trace(store)))
        (event,) = log_of_the_trace(store)
        assert (event.event_type, event.span_id) == ("span_start", format_span_id(span.get_span_context().span_id))
        assert event.payload["attributes"] == {"user": "ann"}
        (task,) = tasks_of(store)
        assert task.task_id == format_trace_id(span.get_span_context().trace_id)
        assert (task.title, task.kind, task.status) == ("checkout", "shop", "running")
    assert program.provider.force_flush()
    assert spans_of(store, task.task_id)["checkout"].state == "done"


def test_a_short_span_is_reported_once_and_after_its_parents(program: Program, store: SqliteStore) -> None:
    with program.tracer.start_as_current_span("outer"), program.tracer.start_as_current_span("inner"):
        with program.tracer.start_as_current_span("short"):
            pass
        assert program.provider.force_flush()
    assert program.provider.force_flush()
    types = [(event.event_type, event.payload["name"]) for event in log_of_the_trace(store)]
    assert types == [
        ("span_start", "outer"),
        ("span_start", "inner"),
        ("span_end", "short"),
        ("span_end", "inner"),
        ("span_end", "outer"),
    ]


def test_a_span_that_an_exporter_reports_too_is_stored_once(program: Program, store: SqliteStore) -> None:
    with program.tracer.start_as_current_span("work") as span:
        span.add_event("halfway", {"share": 0.5})
        program.provider.force_flush()
        running = trace_span(span)  # type: ignore[arg-type]  # a recording span can be read
    program.provider.force_flush()
    stored = log_of_the_trace(store)
    task_id = stored[0].task_id
    again = [*events_of_span(running), *end_events(trace_span(span))]  # type: ignore[arg-type]
    assert {event.seq for event in store.append(task_id, again)} == {1, 2, 3}
    assert log_of(store, task_id) == stored


def test_what_a_span_holds_is_in_its_events(program: Program, store: SqliteStore) -> None:
    with program.tracer.start_as_current_span("first") as first:
        pass
    attributes = {"tags": ["a", "b"], "raw": b"\x00"}
    with (
        suppress(ValueError),
        program.tracer.start_as_current_span("second", attributes=attributes) as second,
    ):
        second.add_link(first.get_span_context(), {"why": "order"})
        raise ValueError("no more milk")
    program.provider.force_flush()
    task_id = format_trace_id(second.get_span_context().trace_id)
    end = next(event for event in log_of(store, task_id) if event.event_type == "span_end")
    assert end.payload["attributes"] == {"tags": ["a", "b"], "raw": "AA=="}
    assert end.payload["links"][0]["trace_id"] == format_trace_id(first.get_span_context().trace_id)
    assert (end.payload["error_code"], end.payload["scope"]) == ("ValueError", "tests 1.0")
    assert spans_of(store, task_id)["second"].state == "failed"


def test_spans_that_are_not_sampled_are_not_reported(url: str, store: SqliteStore) -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(SignalboxSpanProcessor(url))
    with provider.get_tracer("tests").start_as_current_span("unsampled"):
        pass
    assert provider.force_flush()
    assert tasks_of(store) == []


def test_spans_join_the_run_whose_context_they_continue(program: Program, store: SqliteStore) -> None:
    with open_task(store, "nightly") as task, task.work_item("films") as item:
        with program.tracer.start_as_current_span("convert", run_context(task)):
            pass
        program.provider.force_flush()
    assert [one.task_id for one in tasks_of(store)] == ["nightly"]
    assert spans_of(store, "nightly")["convert"].parent_span_id == item.span_id
    assert task_of(store, "nightly").status == "done"


def test_all_spans_join_the_run_that_the_processor_is_given(url: str, store: SqliteStore) -> None:
    with open_task(store, "nightly") as task:
        program = Program(url, task=task)
        with program.tracer.start_as_current_span("convert"):
            pass
        program.provider.shutdown()
    assert spans_of(store, "nightly")["convert"].parent_span_id == task.span_id


PROGRAM = """
import os
from opentelemetry.sdk.trace import TracerProvider
from signalbox.integrations.opentelemetry import SignalboxSpanProcessor, run_context

print(*(os.environ[name] for name in ("TRACEPARENT", "TRACESTATE", "OTEL_RESOURCE_ATTRIBUTES")))
provider = TracerProvider()
provider.add_span_processor(SignalboxSpanProcessor())
tracer = provider.get_tracer("tests")
with tracer.start_as_current_span("by attribute"):
    pass
with tracer.start_as_current_span("by traceparent", run_context()):
    if os.fork() == 0:
        with tracer.start_as_current_span("in a child process"):
            pass
        provider.force_flush()
        os._exit(0)
    os.wait()
"""


OUTSIDE = {"TRACEPARENT": "", "TRACESTATE": "", "OTEL_RESOURCE_ATTRIBUTES": ""}
"""The environment of a program outside of any trace."""


@pytest.mark.long
def test_the_spans_of_a_command_join_its_run_until_the_program_ends(url: str, store: SqliteStore) -> None:
    done = signalbox("run", "--store", url, "--task", "t", "--no-tty", "--", sys.executable, "-c", PROGRAM, **OUTSIDE)
    (task,), spans, spawn = tasks_of(store), spans_of(store, "t"), log_of(store, "t")[0]
    reference = f"t@{task.identity}"
    assert done.stdout.split() == [
        traceparent_of("t", spawn.span_id),
        f"signalbox={reference}",
        f"signalbox.task={reference}",
    ]
    assert spans["by attribute"].parent_span_id == spans["by traceparent"].parent_span_id == spawn.span_id
    assert spans["in a child process"].parent_span_id == spans["by traceparent"].span_id
    ends = [event.span_id for event in log_of(store, "t") if event.event_type == "span_end"]
    assert len(ends) == len(set(ends)) == 3
    assert task_of(store, "t").status == "done"


def test_the_example_shows_a_trace(url: str, store: SqliteStore) -> None:
    variables = environment(SIGNALBOX_STORE_URL=url, PYTHONPATH=str(ROOT))
    subprocess.run([sys.executable, str(ROOT / "examples" / "spans.py")], env=variables, check=True, timeout=60)
    (task,) = tasks_of(store)
    assert (task.title, task.kind, task.spans_open) == ("checkout", "shop", 0)
    assert {"reserve the items", "charge the card", "send the receipt"} < spans_of(store, task.task_id).keys()


def slowest(call: Callable[[], object], times: int) -> float:
    longest = 0.0
    for _ in range(times):
        begun = time.perf_counter()
        call()
        longest = max(longest, time.perf_counter() - begun)
    return longest


def test_a_program_whose_server_is_away_neither_waits_nor_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNALBOX_SPOOL_DIR", str(tmp_path))
    program = Program("http://127.0.0.1:9", max_spans=100)
    span = program.tracer.start_span("first")
    assert slowest(lambda: program.tracer.start_span("one").end(), 1000) < 5
    span.end()
    assert program.processor.counts["dropped"] > 0
    begun = time.monotonic()
    program.provider.force_flush(2000)
    program.provider.shutdown()
    assert time.monotonic() - begun < 30


def test_dropped_spans_are_counted_and_reported_in_the_log(url: str, store: SqliteStore) -> None:
    program = Program(url, max_spans=2)
    spans = [program.tracer.start_span(f"span {number}") for number in range(6)]
    program.provider.shutdown()
    assert program.processor.counts == {"waiting": 0, "dropped": 4, "failed": 0}
    lines = [event.payload["message"] for event in log_of_the_trace(store) if event.event_type == "log"]
    assert lines == ["4 reports of spans were dropped, because too many were waiting to be sent"]
    assert len(spans) == 6


def test_a_resource_attribute_names_the_task(url: str, store: SqliteStore) -> None:
    with open_task(store, "nightly") as task:
        program = Program(url, Resource({"signalbox.task": quote(task.reference, safe="@")}))
        program.tracer.start_span("convert").end()
        program.provider.shutdown()
    assert "convert" in spans_of(store, "nightly")


def test_the_processor_ignores_spans_of_its_own_threads(program: Program, store: SqliteStore) -> None:
    thread = threading.Thread(
        target=lambda: program.tracer.start_span("POST /api/tasks").end(), name="signalbox-background"
    )
    thread.start()
    thread.join()
    program.provider.force_flush()
    assert tasks_of(store) == []


def test_an_otlp_exporter_beside_the_processor_adds_nothing(server: Server) -> None:
    program = Program(server.url)
    exporter = OTLPSpanExporter(endpoint=f"{server.url}/v1/traces")
    program.provider.add_span_processor(SimpleSpanProcessor(exporter))
    with program.tracer.start_as_current_span("outer", attributes={"rows": [1, 2]}) as span:
        program.processor.force_flush()
        with suppress(ValueError), program.tracer.start_as_current_span("inner"):
            raise ValueError("no more milk")
    program.provider.shutdown()
    task_id = format_trace_id(span.get_span_context().trace_id)
    events = log_of(server.store, task_id)
    assert sorted((event.event_type, event.payload.get("name", "")) for event in events) == [
        ("log", ""),
        ("span_end", "inner"),
        ("span_end", "outer"),
        ("span_start", "outer"),
    ]
    inner = next(event for event in events if event.payload.get("name") == "inner")
    assert inner.payload["error_code"] == "ValueError"


def test_a_trace_belongs_to_the_project_that_its_resource_names(url: str, store: SqliteStore) -> None:
    store.people.add_project("web", "Web", actor="ann")
    program = Program(url, Resource({"signalbox.project": "web"}))
    program.tracer.start_span("one").end()
    program.provider.shutdown()
    assert [task.project_id for task in tasks_of(store)] == ["web"]
