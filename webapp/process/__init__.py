"""Runs a command as a task: reads its output line by line and records its start, its output and its end."""
