"""The SQL expressions of PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store.postgresql.texts import full_key, restored, stored_key
from signalbox.store.sql.dialect import Condition, Dialect


def _among(column: str, values: Sequence[object]) -> Condition:
    return f"{column} = ANY(?)", [list(values)]


POSTGRESQL = Dialect(
    # With the collation "C" it ignores the case of ASCII letters only.
    like="ILIKE",
    stored=str,
    among=_among,
    json_text="json_text({0}, '{1}')".format,
    # PostgreSQL compresses long values by itself.
    text=str,
    stored_key=stored_key,
    restored=restored,
    stored_bytes="pg_column_size({})".format,
    full_key=full_key,
)
