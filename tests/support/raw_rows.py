"""All rows of a store's database, read without the store's code, for tests that compare two databases."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any
from urllib.parse import unquote

import psycopg
from psycopg.rows import dict_row

from signalbox.store.sql.compressed import as_given

TABLES = (
    *("task_events", "task_phases", "task_spans", "task_checkpoints", "task_permissions", "task_heartbeats"),
    *("task_unfinished", "task_audits", "projects", "accounts", "project_members", "access_tokens", "login_sessions"),
    *("saved_views", "consumers", "tasks", "task_event_seq_counters", "login_attempts", "login_places"),
)
DERIVED = {"failure", "brief", "expires_at of task_permissions"}
"""Columns that a database computes, or that only one kind has."""

NUL = "\U000f0000"
"""Is stored by PostgreSQL instead of a NUL."""


def rows_of(url: str) -> dict[str, list[str]]:
    """Return the rows of each table as sorted texts, and the facts that identify the store."""
    found = {table: sorted(_text(table, row) for row in _read(url, f"SELECT * FROM {table}")) for table in TABLES}
    facts = _read(url, "SELECT name, value FROM store_facts WHERE name IN ('epoch', 'key', 'people_version')")
    return found | {"facts": sorted(str(tuple(row.values())) for row in facts)}


def every_text(url: str) -> list[str]:
    """Return every value of every table of a database as text."""
    names = "SELECT name FROM sqlite_master WHERE type = 'table'"
    if not url.startswith("sqlite"):
        names = "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
    found = []
    for table in [row["name"] for row in _read(url, names)]:
        for row in _read(url, f"SELECT * FROM {table}"):
            for value in row.values():
                given = _value(value)
                found.append(given.decode(errors="replace") if isinstance(given, bytes) else str(given))
    return found


def _read(url: str, sql: str) -> list[dict[str, Any]]:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(unquote(url.removeprefix("sqlite:///")))) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(sql)]
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(sql.encode()).fetchall()


def _value(value: Any) -> Any:
    """Return a stored value in the form that both kinds of databases share."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return value.replace(NUL, "\x00")
    return as_given(value)


def _text(table: str, row: dict[str, Any]) -> str:
    kept = {
        name: _value(value)
        for name, value in row.items()
        if name not in DERIVED and f"{name} of {table}" not in DERIVED
    }
    if table == "tasks":
        # In PostgreSQL they are columns of this table, in SQLite of the table of counters.
        kept.pop("identity", None)
        kept.pop("last_seq", None)
    for name in {"checkpoint_id", "request_id"} & kept.keys():
        # PostgreSQL shortens a long id.
        kept[name] = json.loads(kept["state"])[name]
    return repr(sorted(kept.items()))
