"""The state of retention, which one process stores and all processes report."""

from __future__ import annotations

import msgspec

from signalbox.webapp.http.health import Problem

BACKLOG_WARNING = 100
"""Tasks that wait to be deleted, from which on health warns."""

MAX_FAILED = 20
"""Failed deletions that the state names."""


class RetentionState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of the last pass over all tasks.

    `waiting` tasks are to be deleted by a rule, and `deleted` were since the store was created. `failed` has the error
    of each task whose deletion failed. `exceeded` names the limits on sizes that cannot be met, because everything
    left is active or held.
    """

    at: str = ""
    waiting: int = 0
    deleted: int = 0
    failed: dict[str, str] = {}
    exceeded: list[str] = []

    def problems(self) -> list[Problem]:
        """Return the faults as warnings for health, which name no task."""
        found = []
        if self.waiting >= BACKLOG_WARNING:
            found.append(Problem("retention_backlog", f"{self.waiting:,} runs wait to be deleted"))
        if self.failed:
            runs = "1 run" if len(self.failed) == 1 else f"{len(self.failed):,} runs"
            found.append(Problem("retention_failed", f"the deletion of {runs} failed and is tried again"))
        if self.exceeded:
            message = "a limit on the size is exceeded, and all runs that are left are active, held or in cold storage"
            found.append(Problem("retention_limit", message))
        return found


def state_of(text: str) -> RetentionState:
    """Decode the stored state. A state that cannot be read counts as none."""
    try:
        return msgspec.json.decode(text or "{}", type=RetentionState)
    except msgspec.MsgspecError:
        return RetentionState()
