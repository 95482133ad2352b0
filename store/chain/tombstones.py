"""Tombstones: the payloads of erased events. A tombstone says who erased the event, when and why, and is signed.

The event keeps its link, so the events after it can still be verified. The values of the payload that the state of the
run depends on, such as its status, are kept; all texts that the run wrote are gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from signalbox.store.chain.heads import CheckingKey, SigningKey
from signalbox.store.chain.links import canonical
from signalbox.store.events import Event
from signalbox.store.model_calls.calls import response_id_of
from signalbox.store.model_calls.usage_reading import model_of, usage_of

MARK = "erased"
"""The field of a payload that makes it a tombstone."""

ERASED_TEXT = "Erased"
"""Replaces the texts that pages show."""

KEPT = frozenset(
    {
        *(
            "status",
            "outcome",
            "exit_code",
            "signal",
            "state",
            "stream",
            "level",
            "attempt",
            "done",
            "total",
        ),
        *("items_done", "items_total", "request_id", "checkpoint_id", "approved", "always", "response", "decision"),
        *("scope", "cause", "number", "seq", "expires_at", "retry", "runner_pid", "started_at", "ended_at"),
        *("heartbeat_interval", "has_root", "quiet"),
    }
)
"""The values that stay if they are short: numbers, states, times, and the ids by which later events refer to it."""

KEPT_NUMBERS = {"progress": ("current", "total", "percentage"), "resources": ("cpu", "memory", "processes")}
"""The objects of which the numbers stay."""

KEPT_IDS = ("request_id", "checkpoint_id")
"""The ids that stay whatever they are: without its id, an answer would count for another request."""

MAX_KEPT_CHARS = 64
_ID_LIKE = re.compile(r"[A-Za-z0-9_.:/+-]*")
_SHOWN = ("message", "title", "name", "error", "reason", "text", "content", "tool_name")
"""The texts that pages show. A payload that has one gets `ERASED_TEXT` there. A `message` may also be a number."""

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


def erased(event: Event, link: bytes, at: str, by: str, reason: str, key: SigningKey) -> Event:
    """Return the event with a tombstone in place of its payload."""
    payload = event.payload
    kept: dict[str, Any] = {name: value for name, value in payload.items() if name in KEPT and _is_kept(value)}
    kept |= {name: payload[name] for name in KEPT_IDS if isinstance(payload.get(name), str)}
    kept |= _kept_objects(payload)
    kept |= {name: ERASED_TEXT for name in _SHOWN if isinstance(payload.get(name), str)}
    if code := payload.get("error_code"):
        # Whether there is one says whether the step has failed.
        kept["error_code"] = code if isinstance(code, int | float) else ERASED_TEXT
    if isinstance(taken := payload.get("message"), int):
        kept["message"] = taken
    stone = Tombstone(at=at, by=by, reason=reason, link=link.hex(), key_id=key.key_id, signature="")
    unsigned = _with_payload(event, msgspec.json.encode({**kept, MARK: stone}))
    signature = key.sign(_signed_text(unsigned))
    return _with_payload(event, bytes(unsigned.payload_json)[: -len(b'"}}')] + signature.encode() + b'"}}')


def confirms(key: CheckingKey, event: Event, origins: Iterable[str]) -> bool:
    """Return whether the tombstone of an event was signed with this key, for an event with one of these origins."""
    payload_json = bytes(event.payload_json)
    found = _SIGNATURE.search(payload_json)
    if found is None:
        return False
    unsigned = _with_payload(event, payload_json[: found.start(1)] + payload_json[found.end(1) :])
    return any(key.confirms(_signed_text(unsigned, origin), found[1].decode()) for origin in origins)


def _with_payload(event: Event, payload_json: bytes) -> Event:
    return msgspec.structs.replace(event, payload_json=msgspec.Raw(payload_json))


def _signed_text(unsigned: Event, origin: str | None = None) -> bytes:
    return b"signalbox tombstone 1\n" + canonical(unsigned, origin)


def _kept_objects(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values inside of objects that stay: numbers, the id of a checkpoint, and the usage of a model."""
    kept: dict[str, Any] = {}
    for name, numbers in KEPT_NUMBERS.items():
        found = payload.get(name)
        if isinstance(found, dict):
            kept[name] = {key: found[key] for key in numbers if isinstance(found.get(key), int | float)}
    refs = payload.get("evidence_refs")
    if isinstance(refs, dict) and isinstance(refs.get("checkpoint_id"), str):
        kept["evidence_refs"] = {"checkpoint_id": refs["checkpoint_id"]}
    return kept | _kept_usage(payload)


def _kept_usage(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the reported usage of a model in a form that is read as the same usage of the same call."""
    usage = usage_of(payload)
    if usage is None:
        return {}
    kept: dict[str, Any] = {} if usage.cost is None else {"cost_usd": usage.cost}
    kept["usage"] = {f"{name}_tokens": count for name, count in msgspec.structs.asdict(usage.tokens).items()}
    named = {"model": model_of(payload), "response_id": response_id_of(payload)}
    return kept | {name: value for name, value in named.items() if value and _is_kept(value)}


def _is_kept(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_KEPT_CHARS and _ID_LIKE.fullmatch(value) is not None
    return value is None or isinstance(value, bool | int | float)
