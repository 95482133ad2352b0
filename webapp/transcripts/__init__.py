"""Transcripts of coding agents as runs: conversation, model calls, tool calls, subagents, tokens, with their own times.

Pure functions from the lines of a transcript to events; `storing.py` writes a run to a store. The agents document
their transcripts nowhere, so every unknown field and every unknown type of line is kept.
"""
