"""A server with several workers: their process ids, and requests that must not fail."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from tests.support.server import Server
from tests.support.waiting import wait_until

READY_LINE = re.compile(r"a worker is ready .*pid=(\d+) worker=(\d+)")


def pids(server: Server, count: int) -> dict[int, int]:
    """Return the process id of each worker that was started last, by its number.

    The log may be behind the line that says that the server listens, so wait until it has `count` workers.
    """

    def found() -> dict[int, int]:
        started = {int(number): int(pid) for pid, number in READY_LINE.findall(server.log)}
        return started if len(started) == count else {}

    return wait_until(found)


def is_running(pid: int) -> bool:
    """Return whether a process runs. A process that has ended and was not reaped does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
    except OSError:
        return _answers_signals(pid)


def _answers_signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def worker_ids(server: Server, count: int) -> set[str]:
    """Ask until `count` workers have answered, each on a connection of its own, and return the ids of the processes."""
    seen: dict[int, str] = {}

    def all_seen() -> bool:
        answer = server.get("/healthz").json()
        seen[answer["worker"]] = answer["process"]
        return len(seen) == count

    wait_until(all_seen)
    return set(seen.values())


def metrics_of_each(server: Server, count: int) -> dict[int, dict[str, float]]:
    """Scrape until the answer has all `count` workers, and return the metrics of each that have no other label."""

    def scrape() -> dict[int, dict[str, float]]:
        found: dict[int, dict[str, float]] = {}
        for name, worker, value in re.findall(r'^(\w+){worker="(\d+)"} (\S+)$', server.get("/metrics").text, re.M):
            found.setdefault(int(worker), {})[name] = float(value)
        return found if len(found) == count else {}

    return wait_until(scrape)


@contextmanager
def requests_without_pause(server: Server, *, threads: int = 4) -> Iterator[Callable[[], tuple[int, list[str]]]]:
    """Send requests every few milliseconds, half of the threads over one connection each, the others over new ones.

    The value of the block is a function that returns the number of answers, and a description of each failure.
    """
    stop, answers, failures = threading.Event(), [0] * threads, list[str]()

    def ask(number: int) -> None:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            n = 0
            while not stop.is_set():
                n += 1
                stop.wait(0.01)  # The workers that start need the processors, too.
                try:
                    send = client if number % 2 else httpx
                    base = "" if number % 2 else server.url
                    if n % 5:
                        answer = send.get(f"{base}/api/tasks?limit=1")
                    else:
                        body = {"event_type": "log", "payload": {"message": f"{number}.{n}"}}
                        answer = send.post(f"{base}/api/tasks/requests/events", json=body)
                    if answer.is_error:
                        failures.append(f"{answer.status_code} {answer.text[:100]}")
                    answers[number] += 1
                except httpx.HTTPError as error:
                    failures.append(repr(error))

    running = [threading.Thread(target=ask, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield lambda: (sum(answers), failures)
    finally:
        stop.set()
        for thread in running:
            thread.join(60)
