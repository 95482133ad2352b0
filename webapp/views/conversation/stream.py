"""A streamed answer: its pieces as one text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signalbox.store import Event
from signalbox.store.model_calls import Part, piece_of

CUT = "… the beginning is not shown …\n\n"


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """A streamed answer. It is `open` while more pieces may follow."""

    parts: list[Part]
    open: bool


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
    return Streamed(parts=parts, open=is_open)
