"""Tasks that the address of a page names."""

from __future__ import annotations

from signalbox.store.identity import check_identity, parse_reference
from signalbox.webapp.auth.guard import require
from signalbox.webapp.current import store


async def readable_task(text: str, name: str) -> str:
    """Return the id of the task that `text`, the parameter `name`, refers to. The caller may read it.

    Raises UnknownTask, also if another task has the id now, InvalidEvent or Forbidden.
    """
    task_id, identity = parse_reference(text, name)
    await require("read", task_id)
    if identity is not None:
        async with store().glance() as view:
            check_identity(task_id, identity, (await view.head(task_id)).identity)
    return task_id
