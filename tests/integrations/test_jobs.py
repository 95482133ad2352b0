"""The reporter that the integrations of all queues share, without a queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from signalbox.integrations.reporting import writer_thread
from signalbox.integrations.reporting.jobs import JobReporter, Origin, QueueJob, ReportedError
from signalbox.integrations.reporting.jobs.arguments import shown_arguments, shown_call
from signalbox.integrations.reporting.jobs.origin import ItemPlace
from signalbox.store import Store, open_task
from signalbox.webapp.views.retries import Retry, origin_of, retries_of
from tests.support.daemon import free_port
from tests.support.log import log_of, spans_of, task_of, types_of, wait_for_event


def reporter_of(store: Store, **options: Any) -> JobReporter:
    return JobReporter("msgspec", store.url, **options)


def job(**changes: Any) -> QueueJob:
    return QueueJob(**{"library": "msgspec", "job_id": "1", "name": "add", "queue": "mail", **changes})


def test_a_failed_attempt_and_its_retry_are_linked_tasks(store: Store) -> None:
    reporter = reporter_of(store)
    first = job(max_attempts=2)
    reporter.enqueued(first)
    reporter.started(first)
    reporter.retried(first, ReportedError("Away", "the shop is away", "Traceback…"), delay=3)
    assert reporter.writer.flush()
    failed, again = task_of(store, "msgspec:1"), task_of(store, "msgspec:1:2")
    assert (failed.status, failed.error) == ("failed", "the shop is away")
    assert log_of(store, "msgspec:1")[-1].payload["retry"] == "msgspec:1:2"
    assert (again.status, again.metadata["retry_of"], again.metadata["attempt"]) == ("queued", "msgspec:1", 2)
    # Each is one click away from the other.
    assert retries_of(failed) == [Retry("msgspec:1:2", 2)]
    assert origin_of(again) == Retry("msgspec:1", 2)


def test_the_start_of_a_job_waits_for_no_other_event(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_thread, "LINGER_S", 3600.0)
    reporter = reporter_of(store)
    reporter.writer.append("early", "log", {"message": "opens the store"})
    reporter.started(job(job_id="killed"))
    wait_for_event(store.url, "msgspec:killed", lambda event: event.event_type == "runner_spawn")
    assert types_of(store, "msgspec:killed") == ["runner_spawn"]


def test_attempts_of_a_work_item_are_attempts_of_one_span(store: Store) -> None:
    reporter = reporter_of(store)
    with open_task(store, "import") as task, task.phase("executing"):
        item = job(origin=reporter.origin_here())
        reporter.enqueued(item)
        reporter.started(item)
        reporter.retried(item, ReportedError("Away", "the shop is away"))
        again = job(origin=item.origin, attempt=2)
        reporter.started(again)
        reporter.succeeded(again, {"rows": 3})
        assert reporter.writer.flush()
    span = spans_of(store, "import")["add"]
    assert (span.state, span.phase) == ("done", "executing")
    assert task_of(store, "import").items_total == 1


def test_a_job_within_a_job_names_its_caller_and_a_run_within_a_job_has_work_items(store: Store) -> None:
    reporter = reporter_of(store)
    outer = job()
    reporter.started(outer)
    assert reporter.origin_here().caller == "msgspec:1"
    with open_task(store, "inside") as inside:
        place = reporter.origin_here().place
        assert place is not None
        assert (place.task_id, place.span_id) == ("inside", inside.span_id)
    reporter.succeeded(outer)
    assert reporter.origin_here().caller is None
    reporter.writer.flush()


def test_a_run_on_another_log_has_no_work_items_here(store: Store, tmp_path: Any) -> None:
    elsewhere = JobReporter("msgspec", f"sqlite:///{tmp_path}/other.db")
    with open_task(store, "here"):
        assert elsewhere.origin_here().place is None
        assert reporter_of(store, work_items=False).origin_here().place is None


def test_an_origin_from_elsewhere_is_ignored() -> None:
    origin = Origin(ItemPlace("import", "7f", "span", "executing"), None, 3.5)
    assert Origin.of_header(origin.header()) == origin
    for wrong in (None, 7, "", "{}", "[1, 2, 3]", '[["a", 1, null, null], null, null]', "x" * 5000, "[" * 3000):
        assert Origin.of_header(wrong) is None


def test_a_job_whose_end_cannot_be_told_sends_no_heartbeats(store: Store) -> None:
    reporter = reporter_of(store)
    reporter.started(job())
    assert reporter.writer._thread.heartbeats.keys() == {"msgspec:1"}
    reporter.left(job())
    assert not reporter.writer._thread.heartbeats


class ClosedRow(Mapping[str, int]):
    def __getitem__(self, name: str) -> int:
        raise RuntimeError("the session is closed")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("the session is closed")

    def __len__(self) -> int:
        return 1


def test_a_result_that_cannot_be_read_ends_its_job_all_the_same(store: Store) -> None:
    reporter = reporter_of(store)
    reporter.started(job())
    reporter.succeeded(job(), {"rows": [ClosedRow()]})
    assert reporter.writer.flush()
    assert task_of(store, "msgspec:1").status == "done"
    assert log_of(store, "msgspec:1")[-1].payload["result"] == {"rows": ["<ClosedRow>"]}


def test_arguments_are_cut_and_secrets_are_hidden() -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    shown = shown_arguments(
        ("x" * 10_000, Odd(), {"deep": {"api_key": "1"}}),
        {"password": "hunter2", "to": "ada"},
        lambda name, value: value,
    )
    assert len(shown["args"][0]) == 500
    assert shown["args"][1:] == ["<Odd>", {"deep": {"api_key": "[redacted]"}}]
    assert shown["kwargs"] == {"password": "[redacted]", "to": "ada"}
    assert shown_call("send", {"args": ["ada"], "kwargs": {"retries": 3}}) == "send('ada', retries=3)"
    hidden = shown_arguments((1,), {"to": "ada"}, lambda name, value: "…" if name == "to" else value)
    assert hidden == {"args": [1], "kwargs": {"to": "…"}}


def test_arguments_and_results_can_be_left_out(store: Store) -> None:
    reporter = reporter_of(store, arguments=False, results=False)
    silent = job(arguments=reporter.arguments((1,), {"to": "ada"}))
    reporter.started(silent)
    reporter.succeeded(silent, "ada")
    reporter.writer.flush()
    assert "ada" not in str([event.payload for event in log_of(store, "msgspec:1")])


def test_the_type_and_the_message_of_an_error_are_read_from_a_text() -> None:
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1, in b\nshop.Away: closed\nuntil nine\n'
    assert ReportedError.of_text(trace) == ReportedError("Away", "closed\nuntil nine", trace)
    assert ReportedError.of_text("killed") == ReportedError("Failed", "killed")
    assert ReportedError.of_text(None).code == "Failed"


def test_ids_of_any_form_become_ids_of_tasks(store: Store) -> None:
    reporter = reporter_of(store)
    for odd in ("a b/c", "ä" * 300, "x" * 200):
        reporter.started(job(job_id=odd))
        reporter.succeeded(job(job_id=odd))
    reporter.writer.flush()
    assert reporter.writer.counts["refused"] == 0
    assert len({job(job_id=odd).task_id for odd in ("a b", "a-b", "a/b")}) == 3


def test_a_job_that_ends_before_it_starts_is_cancelled(store: Store) -> None:
    reporter = reporter_of(store)
    reporter.cancelled(job(), "revoked")
    reporter.writer.flush()
    assert (task_of(store, "msgspec:1").status, types_of(store, "msgspec:1")) == ("cancelled", ["runner_exit"])


def test_nothing_waits_or_raises_while_the_server_is_away() -> None:
    reporter = JobReporter("msgspec", server=f"http://127.0.0.1:{free_port()}")
    began = time.perf_counter()
    for number in range(1000):
        each = job(job_id=str(number))
        reporter.enqueued(each)
        reporter.started(each)
        reporter.failed(each, ReportedError.of(ValueError("no")))
    assert time.perf_counter() - began < 20


def test_hooks_never_raise(store: Store) -> None:
    reporter = reporter_of(store)
    broken: Callable[[QueueJob], None] = reporter.started
    broken(None)  # type: ignore[arg-type]
    assert reporter.arguments(7, None) == {}  # type: ignore[arg-type]
