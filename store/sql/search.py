"""Search conditions of the log of one task as SQL.

They use no full-text index: a scan of 100,000 payloads takes about 40 ms, and finds words anywhere in a payload. The
search over all runs has an index: see `store/sql/searching/`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import msgspec

from signalbox.store.contract import LogQuery
from signalbox.store.events import HEARTBEAT
from signalbox.store.sql.dialect import Condition, Dialect, any_of, everything, one_of

_HITS = """
WITH page AS MATERIALIZED (SELECT seq FROM task_events WHERE {where} AND seq > ? ORDER BY seq LIMIT ?)
SELECT (SELECT count(*) FROM page)
  + (SELECT count(*) FROM task_events WHERE {where} AND seq <= ?)
  + (SELECT count(*) FROM task_events WHERE {where}
     AND seq > (SELECT CASE WHEN count(*) = ? THEN max(seq) END FROM page))
UNION ALL SELECT seq FROM page
"""

LOG = "log"
NO_LINES = f"event_type <> '{LOG}'"
"""With this condition SQLite uses its index of the events that are not lines of output. It needs the literal."""

_COLUMNS = {"event_type": "event_type", "phase": "phase", "actor": "actor", "span_id": "span_id"}
_ASCII = re.compile(r"[a-zA-Z0-9 ]+")
_ESCAPE_CHARS = re.compile(r"[\[\\\x00-\x1f]")
_PAYLOAD_WORDS = ("level", "stream")


def conditions(task_id: str, query: LogQuery, dialect: Dialect, failure_lines: Sequence[int] = ()) -> Condition:
    """Return the WHERE clause of a query on `task_events`, and its values.

    `failure_lines` are the seqs of the lines that count as failures although their events report none.
    """
    payload, plain = dialect.text("payload"), dialect.text("plain")
    found = ["task_id = ?"]
    values: list[object] = [task_id]
    for name, column in _COLUMNS.items():
        wanted = getattr(query, name)
        if wanted:
            found.append(f"{column} = ?")
            values.append(wanted)
    if query.event_type and query.event_type != LOG:
        found.append(NO_LINES)
    if (query.rows or query.failures) and query.event_type != HEARTBEAT:
        found.append("event_type <> ?")
        values.append(HEARTBEAT)
    if query.failures:
        lines, seqs = dialect.among("seq", failure_lines)
        found.append(f"(failure OR {lines})" if failure_lines else "failure")
        values += seqs if failure_lines else []
    if query.conversation:
        found.append("seq IN (SELECT first_seq FROM task_conversation WHERE task_id = ?)")
        values.append(task_id)
    if query.since is not None:
        found.append("seq >= ?")
        values.append(query.since)
    if query.until is not None:
        found.append("seq <= ?")
        values.append(query.until)
    for name in _PAYLOAD_WORDS:
        wanted = getattr(query, name)
        if wanted:
            # The cheap comparison leaves few payloads to parse.
            contains, texts = dialect.contains(payload, _in_json(wanted))
            found.append(f"CASE WHEN {contains} THEN lower({dialect.json_text(payload, name)}) = lower(?) END")
            values += [*texts, wanted]
    if query.text:
        in_plain, texts = _matching(plain, query.text, dialect)
        in_payload, _ = _matching(payload, query.text, dialect)
        in_type, types = dialect.contains("event_type", query.text)
        # Most events are lines, so compare the name of their type once.
        text_in_log = "TRUE" if query.text.lower() in LOG else "FALSE"
        may_match_escapes = _ESCAPE_CHARS.search(query.text)
        # `plain` is the payload without terminal escape sequences, or NULL if the payload has none.
        found.append(
            f"(CASE WHEN plain IS NULL THEN {in_payload} ELSE {in_plain} END"
            f" OR CASE WHEN {NO_LINES} THEN {in_type} ELSE {text_in_log} END"
            + (f" OR (plain IS NOT NULL AND {in_payload}))" if may_match_escapes else ")")
        )
        values += [*texts, *texts, *types]
        values += texts if may_match_escapes else []
    return " AND ".join(found), values


def hits(where: str, values: Sequence[object], after: int, limit: int) -> Condition:
    """Return the query whose first row is the number of matching events, and its values.

    The other rows are the seqs of the first `limit` matches after the seq `after`. The log is read once: for the page,
    and for the counts of what is before and after it.
    """
    return _HITS.format(where=where), [*values, after, limit, *values, after, *values, limit]


def of_types(types: Sequence[str]) -> Condition:
    """Return the condition that an event has one of these types, and its values."""
    wanted, values = one_of("event_type", types)
    return (wanted if LOG in types else f"{wanted} AND {NO_LINES}"), values


def naming(word: str, dialect: Dialect) -> Condition:
    """Return the condition that a payload contains `word`, and its values. An empty word matches every payload."""
    if not word:
        return everything()
    return dialect.contains(dialect.text("payload"), _in_json(word))


def _matching(json: str, text: str, dialect: Dialect) -> Condition:
    """Return the condition that the JSON in an expression contains `text`, ignoring case, and its values.

    The database ignores the case of ASCII letters only. A text with other letters is matched in several spellings,
    after a match of its longest ASCII part, which leaves few payloads.
    """
    spellings = [text]
    if not text.isascii():
        cased = (text, text.lower(), text.upper(), text.capitalize())
        spellings = [unicodedata.normalize(form, one) for form in ("NFC", "NFD") for one in cased]
    # Match the text as typed, for JSON syntax, and as it is escaped within JSON strings, for quotes and line ends.
    written = list(dict.fromkeys(way for one in (text, *spellings) for way in (one, _in_json(one))))
    condition, values = any_of(dialect.contains(json, way) for way in written)
    part = max(_ASCII.findall(text), key=len, default="")
    if len(written) < 3 or not part:
        return condition, values
    contains_part, texts = dialect.contains(json, part)
    return f"({contains_part} AND {condition})", [*texts, *values]


def _in_json(text: str) -> str:
    return msgspec.json.encode(text).decode()[1:-1]
