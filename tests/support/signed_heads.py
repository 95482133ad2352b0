"""The signed heads of a log, as the export of its task has them."""

from __future__ import annotations

import msgspec

from tests.support.server import Server


def head_is_signed(server: Server, task_id: str) -> bool:
    """Return whether the newest event of the task has a signed head."""
    chain = msgspec.json.decode(server.get(f"/tasks/{task_id}/export.ndjson").text.partition("\n")[0])["chain"]
    return any(head["seq"] == chain["seq"] for head in chain["heads"])
