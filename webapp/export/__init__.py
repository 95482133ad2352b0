"""Exports of a task: plain text, NDJSON, CSV, and a single HTML file."""
