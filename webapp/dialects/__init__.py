"""Dialects: the events of a task's log, encoded for clients that expect another SSE format."""
