"""Tombstones: the payloads of erased events. A tombstone says who erased the event, when and why, and is signed.

The event keeps its link, so the events after it can still be verified. The values of the payload that the state of the
run depends on, such as its status, are kept; all texts that the run wrote are gone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from signalbox.store.chain.heads import CheckingKey, SigningKey

MARK = "erased"
"""The field of a payload that makes it a tombstone."""

ERASED_TEXT = "Erased"
"""Replaces the texts that pages show."""

KEPT = frozenset(
    {
        *("status", "outcome", "exit_code", "signal", "state", "stream", "level", "kind", "progress", "attempt"),
        *("done", "total", "items_done", "items_total", "request_id", "checkpoint_id", "work_item_id", "call_id"),
        *("allow", "allowed", "decision", "scope", "cause", "number", "seq", "expires_at", "retry_of", "runner_pid"),
        *("sha256", "size", "content_type", "started_at", "ended_at", "interval", "heartbeat_interval"),
    }
)
"""The values that stay if they are short: numbers, states and ids, by which later events refer to this one."""

MAX_KEPT_CHARS = 64
_ID_LIKE = re.compile(r"[A-Za-z0-9_.:/+-]*")
_SHOWN = ("message", "title", "name", "error", "reason", "summary")
"""The texts that pages show. A payload that has one gets `ERASED_TEXT` there."""

_SIGNATURE = re.compile(rb',"signature":"([0-9a-f]*)"\}\}$')


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """Who erased an event, when and why. `link` is the link of the erased event, in hexadecimal digits."""

    at: str
    by: str
    reason: str
    link: str
    key_id: str
    signature: str


def is_tombstone(payload: Mapping[str, Any]) -> bool:
    """Return whether a payload says that its event was erased. Only the signature proves it."""
    found = payload.get(MARK)
    return isinstance(found, dict) and found.keys() == set(Tombstone.__struct_fields__)


def tombstone_of(payload: Mapping[str, Any]) -> Tombstone | None:
    """Return the tombstone in a payload, or None."""
    if not is_tombstone(payload):
        return None
    try:
        return msgspec.convert(payload[MARK], Tombstone)
    except msgspec.ValidationError:
        return None


def erased(payload: Mapping[str, Any], seq: int, link: str, at: str, by: str, reason: str, key: SigningKey) -> bytes:
    """Return the JSON of the tombstone that replaces a payload."""
    kept: dict[str, Any] = {name: value for name, value in payload.items() if name in KEPT and _is_kept(value)}
    kept |= {name: ERASED_TEXT for name in _SHOWN if name in payload}
    stone = Tombstone(at=at, by=by, reason=reason, link=link, key_id=key.key_id, signature="")
    unsigned = msgspec.json.encode({**kept, MARK: stone})
    signature = key.sign(_signed_text(seq, unsigned))
    return unsigned[: -len(b'"}}')] + signature.encode() + b'"}}'


def confirms(key: CheckingKey, seq: int, payload_json: bytes) -> bool:
    """Return whether the tombstone in a payload's JSON was signed with this key for the event `seq`."""
    found = _SIGNATURE.search(payload_json)
    if found is None:
        return False
    unsigned = payload_json[: found.start(1)] + payload_json[found.end(1) :]
    return key.confirms(_signed_text(seq, unsigned), found[1].decode())


def _signed_text(seq: int, unsigned: bytes) -> bytes:
    return b"signalbox tombstone 1\n%d\n%b" % (seq, unsigned)


def _is_kept(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_KEPT_CHARS and _ID_LIKE.fullmatch(value) is not None
    return value is None or isinstance(value, bool | int | float)
