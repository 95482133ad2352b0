"""A cheap test for events that concern a model call, for every event that is appended."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from signalbox.store.events import Event, NewEvent
from signalbox.store.model_calls.pieces import TOKEN_EVENTS

KEYS = frozenset({"messages", "model", "tool_calls", "usage", "cost_usd", "delta", "gen_ai", "llm", "tool.name"})
"""Keys of payloads that concern a model call."""

TYPES = TOKEN_EVENTS | {"system_message", "user_message", "assistant_message"}
"""Types of events that concern a model call, whatever their payload."""

DOTTED = ("gen_ai.", "llm.", "openinference.", "traceloop.")
"""The beginnings of dotted keys that do."""

WORK_TYPES = frozenset({"llm", "llm_call", "model", "model_call", "generation", "chat", "completion"})
"""Values of `work_type` that mark a work item as a model call."""

PLAIN = frozenset({"message", "stream", "level", "at", "explanation", "error_code", "progress", "status"})
"""Keys of the payload of most log lines. A payload with only these concerns no model call."""

_IN_JSON = re.compile(
    rb'"(?:messages|model|tool_calls|usage|cost_usd|delta|gen_ai|llm|tool\.name|openinference|traceloop)'
)


def concerns_model(event: NewEvent | Event) -> bool:
    """Return whether the event has a type, or its payload a key, of a model call. `attributes` may have the key too."""
    if event.event_type == "log":
        # Most events: each of these steps is cheaper than the next one.
        if isinstance(event, Event) and "payload" not in event.__dict__ and not _IN_JSON.search(event.payload_json):
            return False
        return names_model_call(event.payload)
    if event.event_type in TYPES or event.event_type.startswith("gen_ai."):
        return True
    payload = event.payload
    return names_model_call(payload) or (isinstance(payload, dict) and _is_message(payload.get("message")))


def may_concern_model(json: object) -> bool:
    """Return whether the JSON of a payload may have a key of a model call."""
    return isinstance(json, str) and _IN_JSON.search(json.encode(errors="replace")) is not None


def names_model_call(payload: object) -> bool:
    """Return the same for a payload alone."""
    if type(payload) is dict:
        if PLAIN.issuperset(payload):
            return False
    elif not isinstance(payload, Mapping):
        return False
    if _has_key(payload):
        return True
    attributes: Any = payload.get("attributes")
    if isinstance(attributes, list):
        attributes = {str(pair.get("key")): None for pair in attributes if isinstance(pair, dict)}
    return isinstance(attributes, dict) and _has_key(attributes)


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and "role" in value


def _has_key(payload: Mapping[str, Any]) -> bool:
    if not KEYS.isdisjoint(payload):
        return True
    work_type = payload.get("work_type")
    if isinstance(work_type, str) and work_type in WORK_TYPES:
        return True
    return any(isinstance(key, str) and key.startswith(DOTTED) for key in payload)
