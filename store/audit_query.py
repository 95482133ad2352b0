"""The filters of the audit log."""

from __future__ import annotations

import msgspec


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which audits to read. An empty filter excludes none.

    `actor` is the whole name of a person or token. `since` and `until` are timestamps: from the first one, before the
    second one.
    """

    actor: str = ""
    action: str = ""
    project_id: str = ""
    since: str | None = None
    until: str | None = None
