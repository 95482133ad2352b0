"""Values of the API in few words, so that an answer fits into the context of an agent."""

from __future__ import annotations

from typing import Any

import msgspec

from signalbox.store import Event
from signalbox.store.events import is_claim
from signalbox.store.redaction.rules import Redaction
from signalbox.webapp.drawing.words import about, safe, shown_keys

MAX_LINE_CHARS = 2000
"""Characters of one line of a log, and of a text that a run has chosen."""

MAX_VALUE_CHARS = 1000
"""Characters of a JSON value, such as the arguments of a tool."""

VALUES = ("request_id", "arguments", "result", "output", "reason", "error", "approved", "by", "text")
"""Keys of a payload whose values follow the words of its line."""


def progress_text(progress: dict[str, Any] | None) -> str | None:
    """Return a progress as `3 of 8` or `3`."""
    if not progress or progress.get("current") is None:
        return None
    total = progress.get("total")
    return f"{progress['current']:g}" + (f" of {total:g}" if isinstance(total, int | float) else "")


def usage_text(usage: dict[str, Any] | None) -> str | None:
    """Return tokens and cost as `1,204 input tokens, 310 output tokens, $0.0123`."""
    if not usage:
        return None
    words = [
        f"{usage[name]:,} {name.replace('_', ' ')}" for name in ("input_tokens", "output_tokens") if usage.get(name)
    ]
    cost = usage.get("cost_usd")
    return ", ".join([*words, *([f"${cost:.4f}"] if isinstance(cost, int | float) else [])]) or None


class Texts:
    """Texts and values of runs, shortened and without secrets.

    `redaction` hides what looks like a secret, because an agent sends what it reads to the provider of its model.
    """

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction

    def cut(self, text: str, limit: int = MAX_LINE_CHARS) -> str:
        """Return `text` without control characters, and its first `limit` characters if it is longer."""
        shown = "\n".join(safe(line, colours=False) for line in self._redaction.text(text).split("\n"))
        return shown if len(shown) <= limit else f"{shown[:limit]}… ({len(shown) - limit:,} more characters)"

    def cut_or_none(self, text: object, limit: int = MAX_LINE_CHARS) -> str | None:
        """Return a text cut, or None if there is none."""
        return self.cut(text, limit) if isinstance(text, str) and text else None

    def labels(self, labels: dict[str, str] | None) -> dict[str, str] | None:
        """Return tags or links by name without secrets; None if there are none."""
        found: dict[str, str] = self._redaction.value(labels or {})
        return {name: self.cut(text) for name, text in found.items()} or None

    def json(self, value: Any) -> str | None:
        """Return a value as JSON, cut; None if it is empty."""
        if value in (None, {}, []):
            return None
        return self.cut(msgspec.json.encode(self._redaction.value(value)).decode(), MAX_VALUE_CHARS)

    def log_line(self, event: Event) -> str:
        """Return an event as `#12 14:02:07.123 text`. A message of several lines keeps them."""
        payload = self._redaction.value(event.payload)
        message = payload.get("message")
        if event.event_type == "log" and isinstance(message, str):
            text = ("stderr: " if payload.get("stream") == "stderr" else "") + message
        else:
            claim = "claims " if is_claim(event) else ""
            text = f"{claim}{event.event_type} {about(payload)}{self._values(payload)}".rstrip()
        return f"#{event.seq} {event.happened_at[11:23]} {self.cut(text)}"

    def _values(self, payload: dict[str, Any]) -> str:
        """Return the values for which an agent reads such an event, and which `about` leaves out."""
        names = [name for name in VALUES if name in payload and name not in shown_keys(payload)]
        return f" {self.json({name: payload[name] for name in names})}" if names else ""
