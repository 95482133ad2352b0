"""Emitters: the calls with which a run appends events, from synchronous code and from asyncio.

with open_task(store, "nightly", title="Nightly build") as task:
    with task.phase("planning"):
        task.log("hello")
"""

from signalbox.store.emitter.emitters import AsyncEmitter, Emitter
from signalbox.store.emitter.permission import Answer
from signalbox.store.emitter.run import Run, open_task
from signalbox.store.emitter.steps import ModelCallStep, PhaseStep, RecoveryStep, ToolStep, WorkItemStep

__all__ = [
    "Answer",
    "AsyncEmitter",
    "Emitter",
    "ModelCallStep",
    "PhaseStep",
    "RecoveryStep",
    "Run",
    "ToolStep",
    "WorkItemStep",
    "open_task",
]
