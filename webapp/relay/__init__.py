"""Relaying: the stream of an upstream SSE server, stored as the log of a task.

    upstream → messages → events with keys → recorder → log

The position is in the log itself: each event's idempotency key says after which message of the upstream it came. So a
relay that was killed goes on where the log stands, and what comes a second time is written once.
"""
