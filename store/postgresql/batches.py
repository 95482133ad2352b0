"""A pipeline that sends many statements together.

The driver's own pipeline sends each statement at once, with a call of the system for each. Then the server wakes up for
each, and both take turns on the processor.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

MAX_COLLECTED = 500
"""Statements that are sent at the latest, so that a long list of rows is not kept in memory twice."""


class Batches(psycopg.Pipeline):
    """Collects statements, and sends them when a result is needed or the pipeline ends."""

    def _communicate_gen(self) -> Generator[Any, Any, None]:
        if len(self.command_queue) >= MAX_COLLECTED:
            yield from self._fetch_gen(flush=True)

    def _fetch_gen(self, *, flush: bool) -> Generator[Any, Any, None]:
        while self.command_queue:
            self.command_queue.popleft()()
        # The driver leaves the last part in its buffer unless it is told to flush.
        yield from super()._fetch_gen(flush=True)


def forget_prepared(connection: psycopg.Connection[Any]) -> None:
    """Let the driver prepare all statements of a connection again. Call it after a pipeline with an error.

    After an error the server skips the rest of a pipeline. If the driver meant to prepare a statement there, it takes
    the statement for prepared, because psycopg does not look at its result, and every later use fails.
    """
    connection._prepared.clear()


@contextmanager
def batches(connection: psycopg.Connection[Any]) -> Iterator[Batches]:
    """Switch a connection that has no pipeline to one that collects, as `connection.pipeline()` does."""
    with connection.lock:
        connection._check_connection_ok()
        assert connection._pipeline is None
        pipeline = connection._pipeline = Batches(connection)
    try:
        with pipeline:
            yield pipeline
    finally:
        connection._pipeline = None
