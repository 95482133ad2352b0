"""A run with a few events in a store, and its state."""

from __future__ import annotations

from typing import Any

from signalbox.store import Event, NewEvent
from signalbox.store.history import History
from signalbox.store.sqlite import SqliteStore
from signalbox.store.state import TaskState


def event(event_type: str, span_id: str | None = None, phase: str | None = None, **payload: Any) -> NewEvent:
    """Return an event of a runner, or of the given `actor`."""
    actor = payload.pop("actor", "runner")
    return NewEvent(event_type=event_type, span_id=span_id, phase=phase, actor=actor, payload=payload)


def interrupted() -> NewEvent:
    """Return the event with which the supervisor ends a silent run."""
    return event("status", actor="supervisor", status="interrupted", explanation="no sign of life")


async def stored_state(store: SqliteStore, task_id: str = "run") -> TaskState:
    """Return the state from the tables, after checking that a fold of the log gives the same."""
    async with store.read() as view:
        state = TaskState(
            task=await view.task(task_id),
            phases={p.phase: p for p in await view.phases(task_id)},
            spans={s.span_id: s for s in await view.spans(task_id)},
            checkpoints={c.checkpoint_id: c for c in await view.checkpoints(task_id)},
            permissions={p.request_id: p for p in await view.permissions(task_id, open_only=False)},
        )
        folded = await History().state_at(view, task_id, state.task.latest_seq)
    assert state == folded
    return state


async def log_of(store: SqliteStore, task_id: str) -> list[Event]:
    """Return the first 1000 events of a task."""
    async with store.read() as view:
        return await view.events(task_id, 0, 1000)


def begin(store: SqliteStore) -> None:
    """Append the start of the task `run`: its main span, a phase and a work item."""
    store.append(
        "run",
        [
            event("runner_spawn", "main", heartbeat_interval=1),
            event("phase_enter", "p", "executing"),
            event("work_item_start", "a", work_item_id="a"),
        ],
    )
