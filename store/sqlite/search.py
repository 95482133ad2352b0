"""Which events of a log a query means, as SQL.

Without an index on the text: 100,000 payloads are looked through in about 100 ms, and an append stays cheap.
"""

from __future__ import annotations

import re
import unicodedata

import msgspec

from signalbox.store.contract import LogQuery
from signalbox.store.events import HEARTBEAT

HITS = """
WITH hits AS MATERIALIZED (SELECT seq FROM task_events WHERE {where})
SELECT count(*) FROM hits
UNION ALL SELECT * FROM (SELECT seq FROM hits WHERE seq > ? ORDER BY seq LIMIT ?)
"""
"""One pass over a log: first how many events are meant, then the seqs of one page of them."""

_COLUMNS = {"event_type": "event_type", "phase": "phase", "actor": "actor", "span_id": "span_id"}
_ASCII = re.compile(r"[a-zA-Z0-9 ]+")
_OF_ESCAPES = re.compile(r"[\[\\\x00-\x1f]")
_PAYLOAD_WORDS = ("level", "stream")


def conditions(task_id: str, query: LogQuery) -> tuple[str, list[object]]:
    """The WHERE clause of a query on `task_events`, and its values."""
    found = ["task_id = ?"]
    values: list[object] = [task_id]
    for name, column in _COLUMNS.items():
        wanted = getattr(query, name)
        if wanted:
            found.append(f"{column} = ?")
            values.append(wanted)
    if (query.rows or query.failures) and query.event_type != HEARTBEAT:
        found.append("event_type <> ?")
        values.append(HEARTBEAT)
    if query.failures:
        found.append("failure")
    if query.until is not None:
        found.append("seq <= ?")
        values.append(query.until)
    for name in _PAYLOAD_WORDS:
        wanted = getattr(query, name)
        if wanted:
            # LIKE is a cheap look first: few payloads are left to be parsed.
            found.append(
                r"payload LIKE ? ESCAPE '\' AND CASE WHEN json_valid(payload)"
                f" THEN lower(json_extract(payload, '$.{name}')) = lower(?) END"
            )
            values += [_anywhere(_in_json(wanted)), wanted]
    if query.text:
        said, sought = _spelled(query.text)
        # Where terminal escapes stand in a payload, `plain` is the payload without them; elsewhere it is NULL.
        found.append(
            f"(CASE WHEN plain IS NULL THEN {said.format(text='payload')} ELSE {said.format(text='plain')} END"
            r" OR event_type LIKE ? ESCAPE '\'"
            + (f" OR (plain IS NOT NULL AND {said.format(text='payload')}))" if _OF_ESCAPES.search(query.text) else ")")
        )
        values += [*sought, *sought, _anywhere(query.text)]
        values += sought if _OF_ESCAPES.search(query.text) else []
    return " AND ".join(found), values


def naming(word: str) -> tuple[str, list[object]]:
    """The condition that a payload holds `word` somewhere, and its values; none for an empty word."""
    return (r"payload LIKE ? ESCAPE '\'", [_anywhere(_in_json(word))]) if word else ("1", [])


def _spelled(text: str) -> tuple[str, list[object]]:
    """The condition that `{text}`, which is JSON, says `text` in either case, and its values.

    LIKE folds the case of ASCII letters alone: a text with others is looked for in each of its spellings, after its
    longest part of ASCII, which leaves few payloads.
    """
    spellings = [text]
    if not text.isascii():
        cased = (text, text.lower(), text.upper(), text.capitalize())
        spellings = [unicodedata.normalize(form, one) for form in ("NFC", "NFD") for one in cased]
    # As it was typed, for what is JSON itself, and as a string stands in JSON, for quotes and line ends.
    written = list(dict.fromkeys(way for one in (text, *spellings) for way in (one, _in_json(one))))
    condition = " OR ".join(r"{text} LIKE ? ESCAPE '\'" for _ in written)
    part = max(_ASCII.findall(text), key=len, default="")
    if len(written) < 3 or not part:
        return f"({condition})", [_anywhere(way) for way in written]
    return rf"({{text}} LIKE ? ESCAPE '\' AND ({condition}))", [_anywhere(way) for way in (part, *written)]


def _in_json(text: str) -> str:
    return msgspec.json.encode(text).decode()[1:-1]


def _anywhere(text: str) -> str:
    return "%" + text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
