"""Pieces of an answer that a model streams: tokens, or the chunks of an API's stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from signalbox.store.model_calls.attributes import first, items, line

TOKEN_EVENTS = frozenset({"token", "tokens", "delta", "llm_token", "llm_delta", "text_delta", "message_delta", "chunk"})
"""Types of events whose payload has a piece of text under `text`, `token` or `content`."""


class Piece(msgspec.Struct, frozen=True):
    """A piece of a streamed answer: its `text`, or its `thinking`, or a part of the `arguments` of the tool `name`.

    A piece without any of them begins or ends an answer. `ends` says that it is the last one.
    """

    text: str = ""
    thinking: str = ""
    name: str = ""
    arguments: str = ""
    ends: bool = False


def is_piece(event_type: str, payload: Mapping[str, Any]) -> bool:
    """Return whether an event has a piece of a streamed answer. Cheap: most events are asked."""
    return "delta" in payload or event_type in TOKEN_EVENTS or _chunk(payload) is not None


def piece_of(event_type: str, payload: Mapping[str, Any]) -> Piece | None:
    """Return the piece of an event, or None if it has none."""
    chunk = _chunk(payload)
    delta = payload.get("delta") if chunk is None else chunk
    if delta is None and event_type in TOKEN_EVENTS:
        delta = first(payload, "text", "token", "content", "message")
    if isinstance(delta, str):
        return Piece(thinking=delta) if payload.get("kind") in ("thinking", "reasoning") else Piece(delta)
    if not isinstance(delta, dict):
        # The last chunk of a stream may have the usage alone.
        return Piece(ends=True) if payload.get("usage") else None
    name = arguments = ""
    for call in items(delta.get("tool_calls")):
        name = name or line(first(call, "function.name", "name")) or ""
        arguments += line(first(call, "function.arguments", "arguments")) or ""
    return Piece(
        line(delta.get("text")) or line(delta.get("content")) or "",
        line(delta.get("thinking")) or line(delta.get("reasoning_content")) or line(delta.get("reasoning")) or "",
        name,
        arguments or line(delta.get("partial_json")) or "",
        bool(line(delta.get("stop_reason")) or line(first(payload, "stop_reason", "finish_reason"))),
    )


def _chunk(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the `delta` of a chunk of OpenAI's API, which is in its first choice."""
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return None
    delta = choices[0].get("delta")
    if not isinstance(delta, dict):
        return None
    return {**delta, "stop_reason": choices[0].get("finish_reason")}
