"""An interrupt in one caller's thread leaves no other caller without a result."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from signalbox.store.sqlite import SqliteStore


class InterruptedFuture(Future[int]):
    """A future whose first `set_result` is interrupted, as by Ctrl-C."""

    interrupted = False

    def set_result(self, result: int) -> None:
        if not self.interrupted:
            self.interrupted = True
            raise KeyboardInterrupt
        super().set_result(result)


def test_an_interrupt_between_two_results_leaves_no_caller_waiting(store: SqliteStore) -> None:
    writer = store._writer
    first = writer.submit(lambda db: 1)
    second = writer.submit(lambda db: 2, future=InterruptedFuture())
    third = writer.submit(lambda db: 3)
    with pytest.raises(KeyboardInterrupt):
        writer.drain()
    assert [job.done for job in (first, second, third)] == [True] * 3
    assert second.future is not None
    assert (first.result(), second.future.result(timeout=0), third.result()) == (1, 2, 3)
