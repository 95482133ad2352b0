"""The SQL expressions in which the kinds of databases differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

Condition = tuple[str, list[object]]
"""A condition as SQL, and its values."""


class Dialect(NamedTuple):
    """The expressions of one kind of database.

    - `contains(column, text)`: the condition that a column contains a text. It ignores the case of ASCII letters only.
    - `stored(column)`: a text column exactly as it is stored, even if it is not valid text.
    - `among(column, values)`: the condition that a column has one of these values, of which there may be thousands.
    - `json_text(column, name)`: the field `name` of the JSON object in a column, as text, or NULL if there is none or
      the column has no valid JSON.
    - `text(column)`: the payload in a column as text. A kind of database may store it compressed.
    - `stored_key(id)`: the text by which the row of a checkpoint or a permission request is stored and found.
    - `stored_bytes(column)`: the size of a column's value in bytes.
    - `restored(text)`: a stored text as it was given.
    - `newest_event`: a subquery for the newest event id that was ever assigned, or NULL.
    - `full_key(name, stored, state)`: the id whose `stored_key` is `stored`, from the field `name` of the row's state.
    """

    contains: Callable[[str, str], Condition]
    stored: Callable[[str], str]
    among: Callable[[str, Sequence[object]], Condition]
    json_text: Callable[[str, str], str]
    text: Callable[[str], str]
    stored_key: Callable[[str], str]
    restored: Callable[[str], str]
    stored_bytes: Callable[[str], str]
    newest_event: str
    full_key: Callable[[str, str, str], str]


def everything() -> Condition:
    """Return the condition that every row fulfils."""
    return "TRUE", []


def one_of(column: str, values: Sequence[object]) -> Condition:
    """Return the condition that a column has one of these few values."""
    return (f"{column} IN ({', '.join('?' * len(values))})", list(values)) if values else ("FALSE", [])


def any_of(conditions: Iterable[Condition]) -> Condition:
    """Return the condition that one of these conditions is fulfilled. There is at least one."""
    alternatives = list(conditions)
    return f"({' OR '.join(sql for sql, _ in alternatives)})", [value for _, values in alternatives for value in values]


def pattern_of(text: str) -> str:
    r"""Return the pattern for texts that contain `text`. Its escape character is the backslash."""
    # A pattern of SQLite ends at a NUL. No searched text has a NUL, so the pattern of one must match nothing.
    literal = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_").replace("\0", "\U0010ffff")
    return f"%{literal}%"
