"""Retention in the background: measuring tasks, deleting by rules, returning space, and saying how it went."""
