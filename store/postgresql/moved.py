"""A trigger that refuses the writes to a store that was moved to another database.

Every write transaction updates `log_position`, so one trigger stops all programs that have the database open, whatever
version they are, and costs nothing before.
"""

from __future__ import annotations

import psycopg

MOVED_STATE = "SBMOV"
"""The SQLSTATE of the refusal. Classes from I to Z are free for programs."""

_FREEZE = f"""
CREATE OR REPLACE FUNCTION refuse_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the store was moved: see moved_to in store_facts' USING ERRCODE = '{MOVED_STATE}';
END $$;
CREATE OR REPLACE TRIGGER moved BEFORE UPDATE ON log_position FOR EACH STATEMENT EXECUTE FUNCTION refuse_moved();
"""
_THAW = "DROP TRIGGER IF EXISTS moved ON log_position; DROP FUNCTION IF EXISTS refuse_moved()"


def freeze(connection: psycopg.Connection) -> None:
    """Refuse all later writes. The caller has a transaction that holds the write lock."""
    connection.execute(_FREEZE)


def thaw(connection: psycopg.Connection) -> None:
    """Accept writes again."""
    connection.execute(_THAW)


def is_refusal(error: BaseException | None) -> bool:
    """Return whether a write failed because the store was moved."""
    return isinstance(error, psycopg.Error) and error.sqlstate == MOVED_STATE
