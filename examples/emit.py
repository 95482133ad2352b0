"""A minimal run with a phase, two work items and a checkpoint: `python examples/emit.py`, then open its page."""

from signalbox.store import open_store, open_task

store = open_store("sqlite:///signalbox.db")
with open_task(store, title="Ten lines", kind="example") as task, task.phase("executing") as executing:
    for name in ("parse", "render"):
        with executing.work_item(name, "step") as item:
            item.progress(1, 1)
            item.log(f"{name} is done")
    executing.checkpoint("checkpoint-1", artifacts=["report.html"])
store.close()
