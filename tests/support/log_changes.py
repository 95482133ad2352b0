"""Random changes to a stored log, as an accident or an intruder makes them."""

from __future__ import annotations

import random
import sqlite3

FIELDS = (
    *("event_type", "phase", "actor", "span_id", "parent_span_id", "payload", "created_at", "key", "origin"),
    "occurred_at",
)


def change(db: sqlite3.Connection, dice: random.Random, task_id: str) -> str:
    """Make one random change to the log of a task that has ended. Returns what was done."""
    kind = dice.choice((_field, _field, _field, _remove, _insert, _swap, _duplicate, _cut, _link, _signature))
    return kind(db, dice, task_id)


def _seq(db: sqlite3.Connection, dice: random.Random, task_id: str) -> int:
    return dice.randint(1, _last(db, task_id))


def _last(db: sqlite3.Connection, task_id: str) -> int:
    (last,) = db.execute("SELECT max(seq) FROM task_events WHERE task_id = ?", (task_id,)).fetchone()
    return int(last)


def _field(db: sqlite3.Connection, dice: random.Random, task_id: str) -> str:
    seq, field = _seq(db, dice, task_id), dice.choice(FIELDS)
    sql = f"SELECT {field} FROM task_events WHERE task_id = ? AND seq = ?"
    (value,) = db.execute(sql, (task_id, seq)).fetchone()
    changed = another(value, dice)
    db.execute(f"UPDATE task_events SET {field} = ? WHERE task_id = ? AND seq = ?", (changed, task_id, seq))
    return f"{field} of #{seq}: {value!r} became {changed!r}"


def another(text: str | None, dice: random.Random) -> str:
    """Return the text with another character at one place."""
    if not text:
        return "x"
    at = dice.randrange(len(text))
    new = dice.choice([c for c in 'ax0 "}é\n' if c != text[at]])
    return text[:at] + new + text[at + 1 :]


def _remove(db: sqlite3.Connection, dice: random.Random, task_id: str) -> str:
    seq = _seq(db, dice, task_id)
    db.execute("DELETE FROM task_events WHERE task_id = ? AND seq = ?", (task_id, seq))
    if renumber := dice.random() < 0.5:
        _shift(db, task_id, seq, -1)
    return f"#{seq} removed{' and the later ones renumbered' * renumber}"


def _insert(db: sqlite3.Connection, dice: random.Random, task_id: str) -> str:
    seq = dice.randint(1, _last(db, task_id) + 1)
    _copy(db, task_id, seq, "'{}'")
    return f"a copy with another payload inserted at #{seq}"


def _duplicate(db: sqlite3.Connection, dice: random.Random, task_id: str) -> str:
    seq = dice.randint(2, _last(db, task_id) + 1)
    _copy(db, task_id, seq, "payload")
    return f"#{seq - 1} is there twice"


def _copy(db: sqlite3.Connection, task_id: str, seq: int, payload: str) -> None:
    _shift(db, task_id, seq - 1, 1)
    source = max(seq - 1, 2 if seq == 1 else 1)
    db.execute(
        "INSERT INTO task_events (task_id, seq, event_type, phase, actor, span_id, parent_span_id, payload, created_at,"
        " origin, link)"
        f" SELECT task_id, ?, event_type, phase, actor, span_id, parent_span_id, {payload}, created_at, origin, link"
        " FROM task_events WHERE task_id = ? AND seq = ?",
        (seq, task_id, source),
    )


def _shift(db: sqlite3.Connection, task_id: str, after: int, by: int) -> None:
    far = 1_000_000
    db.execute("UPDATE task_events SET seq = seq + ? WHERE task_id = ? AND seq > ?", (far, task_id, after))
    db.execute("UPDATE task_events SET seq = seq - ? WHERE task_id = ? AND seq > ?", (far - by, task_id, far))


def _swap(db: sqlite3.Connection, dice: random.Random, task_id: str) -> str:
    first = dice.randint(1, _last(db, task_id) - 1)
    second = min(_last(db, task_id), first + dice.choice((1, 1, 2, 9)))
    for old, new in ((first, 1_000_000), (second, first), (1_000_000, second)):
        db.execute("UPDATE task_events SET seq = ? WHERE task_id = ? AND seq = ?", (new, task_id, old))
    return f"#{first} and #{second} swapped"


def _cut(db: sqlite3.Connection, dice: random.Random, task_id: str) -> str:
    seq = _seq(db, dice, task_id)
    db.execute("DELETE FROM task_events WHERE task_id = ? AND seq >= ?", (task_id, seq))
    return f"the end from #{seq} cut off"


def _link(db: sqlite3.Connection, dice: random.Random, task_id: str) -> str:
    seq = _seq(db, dice, task_id)
    sql = "SELECT link FROM task_events WHERE task_id = ? AND seq = ?"
    link = bytearray(db.execute(sql, (task_id, seq)).fetchone()[0])
    link[dice.randrange(32)] ^= 1 << dice.randrange(8)
    changed = dice.choice((bytes(link), bytes(link), None, b"short"))
    db.execute("UPDATE task_events SET link = ? WHERE task_id = ? AND seq = ?", (changed, task_id, seq))
    return f"the link of #{seq} became {changed!r}"


def _signature(db: sqlite3.Connection, dice: random.Random, task_id: str) -> str:
    heads = db.execute("SELECT seq, signature, link FROM signed_heads WHERE task_id = ?", (task_id,)).fetchall()
    if not heads:
        return _link(db, dice, task_id)
    seq, signature, link = dice.choice(heads)
    if dice.random() < 0.7:
        at = dice.randrange(len(signature))
        other = (
            signature[:at] + dice.choice([c for c in "0123456789abcdef" if c != signature[at]]) + signature[at + 1 :]
        )
        db.execute("UPDATE signed_heads SET signature = ? WHERE signature = ?", (other, signature))
        return f"the signature at #{seq} changed"
    changed = bytes([link[0] ^ 1]) + link[1:]
    db.execute("UPDATE signed_heads SET link = ? WHERE signature = ?", (changed, signature))
    return f"the link of the head at #{seq} changed"
