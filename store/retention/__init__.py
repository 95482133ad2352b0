"""Retention: the operator's rules for how long tasks stay in the database, and how large they may grow together."""

from signalbox.store.retention.errors import InvalidRetention
from signalbox.store.retention.rules import Age, Limit, Retention, RetentionRule
from signalbox.store.retention.rules_file import RetentionFile

__all__ = ["Age", "InvalidRetention", "Limit", "Retention", "RetentionFile", "RetentionRule"]
