"""The writer of a process: group commit without a thread of its own. Each kind of store runs the transactions."""

from __future__ import annotations

from signalbox.store.sql.group_commit.calls import Calls
from signalbox.store.sql.group_commit.job import JOB_TIMEOUT, Job
from signalbox.store.sql.group_commit.writer import GroupCommit

__all__ = ["JOB_TIMEOUT", "Calls", "GroupCommit", "Job"]
