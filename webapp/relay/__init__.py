"""The relay: follows an SSE stream of another server and records it as the log of a task.

    upstream → SSE messages → events with idempotency keys → recorder → log

The log itself stores the relay's position: the idempotency key of each event names the upstream message it came from.
A relay that was killed continues from the last key in the log, and a repeated message is stored once.
"""
