"""The run around the caller, which the integrations of queues read."""

from __future__ import annotations

from signalbox.store import Store, open_task
from signalbox.store.emitter.current import current_run


def test_the_current_run_is_the_innermost_one_with_its_innermost_step(store: Store) -> None:
    assert current_run() is None
    with open_task(store, "outer") as outer, outer.phase("planning"):
        with open_task(store, "inner") as inner:
            found = current_run()
            assert found is not None
            assert (found.scope.task_id, found.scope.span_id, found.log_url) == ("inner", inner.span_id, store.url)
        found = current_run()
        assert found is not None
        assert (found.scope.task_id, found.scope.phase_name) == ("outer", "planning")
        assert found.identity
    assert current_run() is None


async def test_the_current_run_is_that_of_the_asyncio_task(store: Store) -> None:
    async with open_task(store, "outer") as outer, outer.work_item("file", "copy") as item:
        found = current_run()
        assert found is not None
        assert found.scope is item
    assert current_run() is None
