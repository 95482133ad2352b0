"""Fixtures of the tests with agent libraries: a server to which they report, and a person who answers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from signalbox.store import Event, TaskQuery
from signalbox.store.state import Span, Task
from tests.support.server import Server

TIMEOUT_S = 20.0


class Console:
    """The server to which a test reports, as a person sees it. It ignores the tasks of earlier tests."""

    def __init__(self, server: Server) -> None:
        self.server, self.store_url, self.url = server, server.store_url, server.url
        self._known = {task.task_id for task in self._tasks()}

    def task(self, *, status: str | None = None, title: str | None = None) -> Task:
        """Wait for the newest task, until it has this status."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            found = [t for t in self.tasks() if (not status or t.status == status) and (not title or t.title == title)]
            if found:
                return found[0]
            assert time.monotonic() < deadline, [(task.title, task.status) for task in self.tasks()]
            time.sleep(0.02)

    def tasks(self) -> list[Task]:
        """Return the tasks of this test, the newest first."""
        return [task for task in self._tasks() if task.task_id not in self._known]

    def events(self, task: Task, event_type: str | None = None) -> list[Event]:
        """Return the log of a task, or its events of one type."""

        async def read() -> list[Event]:
            async with self.server.store.read() as view:
                return await view.events(task.task_id, 0, 1000)

        return [event for event in asyncio.run(read()) if event_type in (None, event.event_type)]

    def spans(self, task: Task) -> dict[str, Span]:
        """Return the spans of a task by name. Of several spans with a name, the last one."""

        async def read() -> list[Span]:
            async with self.server.store.read() as view:
                return await view.spans(task.task_id, 0, 500)

        return {span.name or "": span for span in asyncio.run(read())}

    def page(self, path: str) -> str:
        """Return the HTML of a page."""
        response = self.server.get(path)
        assert response.status_code == 200, response.text
        return response.text

    def _tasks(self) -> list[Task]:
        async def read() -> list[Task]:
            async with self.server.store.read() as view:
                return (await view.tasks(TaskQuery())).tasks

        return asyncio.run(read())


class Person:
    """Answers the permission requests of a test over HTTP, as the page does."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.seen: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self._threads: list[threading.Thread] = []

    def will_answer(self, *answers: dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Answer the next requests with these bodies, in a thread. A function gets the request."""
        thread = threading.Thread(target=self._answer, args=(answers,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def done(self) -> list[dict[str, Any]]:
        """Wait until all announced answers are given, and return the requests."""
        for thread in self._threads:
            thread.join(TIMEOUT_S)
            assert not thread.is_alive(), f"only {len(self.seen)} requests came"
        assert not self.errors
        return self.seen

    def _answer(self, answers: tuple[Any, ...]) -> None:
        for answer in answers:
            task_id, request = self._next()
            self.seen.append(request)
            body = answer(request) if callable(answer) else answer
            path = f"{self._console.url}/api/tasks/{task_id}/permissions/{request['request_id']}"
            response = httpx.post(path, json=body)
            if response.status_code != 201:
                self.errors.append(response.text)

    def _next(self) -> tuple[str, dict[str, Any]]:
        deadline = time.monotonic() + TIMEOUT_S
        known = {request["request_id"] for request in self.seen}
        while time.monotonic() < deadline:
            for task in self._console.tasks():
                if task.status == "waiting":
                    listed = httpx.get(f"{self._console.url}/api/tasks/{task.task_id}/permissions").json()
                    new = [request for request in listed if request["request_id"] not in known]
                    if new:
                        return task.task_id, new[0]
            time.sleep(0.02)
        raise AssertionError("no permission request came")


@pytest.fixture
def console(server: Server, monkeypatch: pytest.MonkeyPatch) -> Console:
    """Return the console, to which the programs of the test report without arguments."""
    monkeypatch.setenv("SIGNALBOX_STORE_URL", server.store_url)
    for name in ("SIGNALBOX_SERVER", "SIGNALBOX_TASK", "SIGNALBOX_TASK_IDENTITY", "SIGNALBOX_LANGCHAIN"):
        monkeypatch.delenv(name, raising=False)
    return Console(server)


@pytest.fixture
def person(console: Console) -> Iterator[Person]:
    """Return a person who answers."""
    one = Person(console)
    yield one
    one.done()
