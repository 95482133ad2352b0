"""A model call of a transcript, whose answer is spread over several lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from signalbox.webapp.transcripts.transcript_run import TranscriptRun

ANSWER = "work_item_complete"
"""The type of the event with the answer of a model."""


def parts_of(event_type: str, payload: Mapping[str, Any]) -> int:
    """Return the number of parts of a model's answer, 0 for another event."""
    content = payload.get("content") if event_type == ANSWER else None
    return len(content) if isinstance(content, list) else 0


@dataclass
class TranscriptCall:
    """A call of a model: what it answered, when, and what it used.

    A transcript has only the time at which an answer was written, so a call starts when its input was there: with the
    prompt or with the last result of a tool.
    """

    name: str
    started_at: str
    ended_at: str
    parent: str
    model: str = ""
    parts: list[dict[str, Any]] = field(default_factory=list)
    usage: dict[str, Any] | None = None
    response_id: str = ""
    stop_reason: str = ""
    is_ended: bool = False
    first: float = 0
    last: float = 0
    rest: dict[str, Any] = field(default_factory=dict)

    def say(self, part: dict[str, Any], at: str, place: float, *, ends: bool = False) -> None:
        """Add a part of the answer, from the line `place`. With `ends` the call ends with it, as with a tool's call."""
        self.parts.append(part)
        self.first = self.first or place
        if not self.is_ended:
            self.ended_at, self.last = max(self.ended_at, at), place
            self.is_ended = ends

    def write(self, run: TranscriptRun) -> None:
        """Add the events of the call to a run: before those of the tools that it calls."""
        span, model = f"call-{self.name}", self.model or "model"
        named = {"work_item_id": model, "work_type": "llm", "model": model}
        start, end = ("work_item_start", self.started_at), (ANSWER, self.ended_at)
        run.add(*start, named, key=f"{span}:start", span=span, parent=self.parent, place=self.first - 0.5)
        answer = {
            **named,
            "message": self._spoken(),
            **({"role": "assistant", "content": self.parts} if self.parts else {}),
            "usage": self.usage,
            "response_id": self.response_id,
            "stop_reason": self.stop_reason,
            "transcript": self.rest or None,
        }
        run.add(*end, answer, key=f"{span}:end", span=span, parent=self.parent, place=self.last - 0.25)

    def _spoken(self) -> str:
        """Return the answer as a line of the log: its text, else the tools that it calls."""
        texts = [part["text"] for part in self.parts if part.get("type") == "text" and part.get("text")]
        tools = [str(part.get("name")) for part in self.parts if part.get("type") == "tool_use"]
        return "\n\n".join(map(str, texts)) or (f"calls {', '.join(tools)}" if tools else "")
