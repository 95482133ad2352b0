"""A streamed answer: its pieces as one text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signalbox.store import Event
from signalbox.store.model_calls import Part, Usage, piece_of, usage_of
from signalbox.store.model_calls.usage_reading import model_of

_DESCRIBING = frozenset({"model", "usage", "cost_usd", "message"})

CUT = "… the beginning is not shown …\n\n"


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """A streamed answer. It is `open` while more pieces may follow. Its pieces may name the model and the usage."""

    parts: list[Part]
    open: bool
    model: str | None = None
    usage: Usage | None = None


def streamed(pieces: Sequence[Event], *, is_open: bool, is_cut: bool) -> Streamed:
    """Return the answer that some pieces form. `is_cut`: the first pieces are missing."""
    found = [piece for event in pieces if (piece := piece_of(event.event_type, event.payload))]
    thinking = "".join(piece.thinking for piece in found)
    text = "".join(piece.text for piece in found)
    parts = [Part(kind="thinking", text=thinking)] if thinking else []
    if text:
        parts.append(Part(kind="text", text=CUT + text if is_cut else text))
    name = next((piece.name for piece in found if piece.name), "")
    arguments = "".join(piece.arguments for piece in found)
    if (name or arguments) and is_open:
        parts.append(Part(kind="other", value=f"{name} {arguments}".strip()))
    model, usage = None, None
    for event in pieces:
        if not event.payload.keys().isdisjoint(_DESCRIBING):
            model = model or model_of(event.payload)
            reported = usage_of(event.payload, model)
            usage = usage.completed_by(reported) if usage and reported else usage or reported
    is_open = is_open and not any(piece.ends for piece in found[-3:])
    return Streamed(parts=parts, open=is_open, model=model, usage=usage)
