"""The names of the tables and indexes that the migrations create."""

from __future__ import annotations

import re

from signalbox.store.postgresql.migrations import known

_TABLE = re.compile(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", re.MULTILINE)
_INDEX = re.compile(r"^CREATE (?:UNIQUE )?INDEX (?:IF NOT EXISTS )?(\w+)", re.MULTILINE)

_DROPPED_INDEX = re.compile(r"^DROP INDEX (?:IF EXISTS )?(\w+)", re.MULTILINE)
"""Matches the removal of an index. No migration creates an index again under the name of a removed one."""


def tables() -> set[str]:
    """Return the names of all tables."""
    return _names(_TABLE)


def indexes() -> set[str]:
    """Return the names of all indexes, except for those of primary keys and unique columns."""
    return _names(_INDEX) - _names(_DROPPED_INDEX)


def _names(pattern: re.Pattern[str]) -> set[str]:
    return {name for _, script in known() for name in pattern.findall(script)}
