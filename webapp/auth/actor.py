"""The person behind a request, as the audited writes of a store take them."""

from __future__ import annotations

from typing import TypedDict

from quart import request

from signalbox.store import Who
from signalbox.webapp.auth.guard import principal


class Asker(TypedDict):
    """The arguments of an audited write: who acts, and the network address that they act from."""

    actor: Who
    source: str | None


async def asker() -> Asker:
    """Return the caller of this request: `await store().aarchive_task(task_id, True, **await asker())`."""
    return {"actor": (await principal()).who, "source": request.remote_addr}
