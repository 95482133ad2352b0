"""Test the tasks that agent libraries report, and their questions to people, on each kind of store and on a server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from signalbox.integrations.reporting.background import BackgroundWriter
from signalbox.integrations.reporting.target import target
from signalbox.integrations.reporting.traces import pieces
from signalbox.integrations.reporting.traces.questions import Question
from signalbox.integrations.reporting.traces.traced_task import TracedTask, open_trace
from signalbox.store import Store, open_store
from signalbox.store.events import new_id
from tests.support.log import answer, cancel, log_of, open_permissions
from tests.support.server import Server
from tests.support.shared_postgres import create_database
from tests.support.waiting import wait_until


@pytest.fixture(params=["sqlite", "postgresql", "server"])
def place(request: pytest.FixtureRequest, server: Server) -> Iterator[tuple[BackgroundWriter, Store]]:
    """Return a writer, and the store in which a person sees what it writes."""
    url = create_database() if request.param == "postgresql" else server.store_url
    writer = BackgroundWriter(target(server.url if request.param == "server" else url))
    store = open_store(url)
    yield writer, store
    writer.close()
    store.close()


def begun(writer: BackgroundWriter) -> TracedTask:
    task = open_trace(writer, new_id(), title="A trace", kind="test")
    task.begin("pytest")
    return task


def wait_for_request(store: Store, task: TracedTask) -> Any:
    def requests() -> Any:
        task.writer.flush()
        return open_permissions(store, task.task_id)

    return wait_until(requests)[-1]


def test_a_question_returns_the_answer_of_a_person(place: tuple[BackgroundWriter, Store]) -> None:
    writer, store = place
    task = begun(writer)
    for number, approved in enumerate((True, False)):
        question = Question(task, None, "deploy", {"to": "production"}, seconds=120, editable=True)
        question.ask()
        waiting = question.wait_in_thread()
        request = wait_for_request(store, task)
        assert (request.request_id, request.editable) == (question.request_id, True)
        answer(store, task.task_id, request.request_id, approved, "ann", f"reason {number}")
        given = waiting.result(60)
        assert given is not None
        assert (given.approved, given.by, given.reason) == (approved, "ann", f"reason {number}")


def test_a_question_expires_and_a_cancel_ends_it(place: tuple[BackgroundWriter, Store]) -> None:
    writer, store = place
    task = begun(writer)
    # So short that it is over before the store has the request.
    late = Question(task, None, "deploy", seconds=0.001)
    late.ask()
    given = late.wait()
    assert given is not None
    assert given.state == "expired"
    unanswered = Question(task, None, "deploy")
    unanswered.ask()
    waiting = unanswered.wait_in_thread()
    wait_for_request(store, task)
    cancel(store, task.task_id)
    given = waiting.result(60)
    assert given is not None
    assert given.state == "cancelled"


def test_questions_that_were_answered_while_another_one_waited_keep_their_answers(
    place: tuple[BackgroundWriter, Store],
) -> None:
    writer, store = place
    task = begun(writer)
    questions = [Question(task, None, name, seconds=120) for name in ("one", "two")]
    for question in questions:
        question.ask()
    waiting = questions[0].wait_in_thread()
    wait_for_request(store, task)
    for question in reversed(questions):
        answer(store, task.task_id, question.request_id, True, "ann")
    assert waiting.result(60)
    assert questions[1].wait()


def test_nobody_is_waited_for_while_the_server_is_away() -> None:
    writer = BackgroundWriter(target("http://127.0.0.1:9"))
    question = Question(begun(writer), None, "deploy")
    question.ask()
    started = time.monotonic()
    assert question.wait() is None
    assert time.monotonic() - started < 30
    writer.close(0.1)


def test_arguments_that_the_log_would_cut_cannot_be_changed(server: Server) -> None:
    writer = BackgroundWriter(target(server.store_url))
    task = begun(writer)
    Question(task, None, "write", {"text": "x" * 200_000}, editable=True).ask()
    assert wait_for_request(server.store, task).editable is False
    writer.close()


def test_arguments_of_which_a_secret_is_hidden_cannot_be_changed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNALBOX_REDACT_WRITES", "true")
    writer = BackgroundWriter(target(server.store_url))
    task = begun(writer)
    Question(task, None, "run", {"password": "hunter2-is-not-shown"}, editable=True).ask()
    request = wait_for_request(server.store, task)
    assert "hunter2" not in str(request.arguments)
    assert request.editable is False
    writer.close()


def test_the_pieces_of_a_fast_stream_are_joined(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_INTERVAL_S", 60.0)
    writer = BackgroundWriter(target(server.store_url))
    task = begun(writer)
    task.call("call-1", None, "small-1")
    for word in ("one ", "two ", "three"):
        task.piece("call-1", word)
    task.piece("call-1", "Hm.", is_thinking=True)
    task.call_ended("call-1", "small-1")
    task.end()
    writer.close()
    tokens = [event.payload for event in log_of(server.store, task.task_id) if event.event_type == "token"]
    assert tokens == [{"delta": "one "}, {"delta": "two three"}, {"delta": "Hm.", "kind": "thinking"}]


def test_a_call_of_a_task_costs_the_program_little_while_the_server_is_away() -> None:
    writer = BackgroundWriter(target("http://127.0.0.1:9"))
    task = begun(writer)
    durations = []
    for number in range(500):
        started = time.perf_counter()
        task.tool(f"t{number}", None, "search", {"query": "x" * 100})
        durations.append(time.perf_counter() - started)
    assert sorted(durations)[250] < 0.001
    writer.close(0.1)
