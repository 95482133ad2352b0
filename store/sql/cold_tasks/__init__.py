"""The stages of a task on its way to cold storage and back. Each function is a part of one transaction.

    database ── begin ──> packing ── mark ──> clearing ── finish ──> cold
        ^                                        │                     │
        └──────────── bring_back <── restoring <─┴── begin_restoring ──┘

From `mark` to `bring_back` the file has the log of the task, and `tasks.cold` is 1: rows that the database still
has, or has again, do not count. So the log is complete in exactly one place at every moment, whenever a process is
killed.

A process that works on a task is its holder. Another process takes over when the holder has not renewed this for
`HOLD_SECONDS`; restoring takes a task that is being cleared at once. Functions return False for a process that is no
longer the holder, and change nothing then.
"""
