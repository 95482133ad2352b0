"""The caller of a request, as arguments for the audited writes of a store."""

from __future__ import annotations

from typing import TypedDict

from quart import request

from signalbox.store import Who
from signalbox.webapp.auth.guard import principal


class AuditArguments(TypedDict):
    """The arguments of an audited write: the acting person or program, and its network address."""

    actor: Who
    source: str | None


async def audit_arguments() -> AuditArguments:
    """Return the arguments for this request: `store().aarchive_task(task_id, True, **await audit_arguments())`."""
    return {"actor": (await principal()).who, "source": request.remote_addr}
