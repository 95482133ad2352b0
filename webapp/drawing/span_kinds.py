"""The icon and the words for the kind of a span. A kind has a colour and a glyph, apart from the shapes of states."""

from __future__ import annotations

from markupsafe import Markup

from signalbox.store.state import Span

MODEL_TYPES = frozenset(("llm", "model", "chat", "completion", "generation", "inference", "embedding"))
"""Work types of a call of a language model."""

TYPED = ("work_item", "tool", "span")
"""The kinds whose spans have a type of work."""

KINDS = {
    "run": ("Run", "M5 4l5 3-5 3z"),
    "phase": ("Phase", "M3.5 5h7M3.5 9h7"),
    "item": ("Work item", "M4.5 4.5h5v5h-5z"),
    "tool": ("Tool", "M4 10l3.5-3.5M7 4a2.3 2.3 0 1 0 3 3"),
    "model": ("Model call", "M7 3l1 3 3 1-3 1-1 3-1-3-3-1 3-1z"),
    "span": ("Span", "M3.5 4.5h5M5.5 7h5M7.5 9.5h3"),
    "mark": ("Mark", "M6.5 7h1"),
}
"""For each class of kinds its name, and its glyph: an SVG path, 14 units wide and high."""

_ICONS = {
    name: Markup(
        f'<svg class="kind-icon" viewBox="0 0 14 14" aria-hidden="true"><rect width="14" height="14" rx="3" />'
        f'<path d="{path}" /></svg>'
    )
    for name, (_, path) in KINDS.items()
}


def kind_class(span: Span) -> str:
    """Return the class of kinds to which a span belongs: a key of KINDS."""
    if span.kind in TYPED and (span.work_type or "").casefold() in MODEL_TYPES:
        return "model"
    name = "item" if span.kind == "work_item" else span.kind
    return name if name in KINDS else "mark"


def kind_icon(span: Span) -> Markup:
    """Return the icon of a span's kind."""
    return _ICONS[kind_class(span)]


def kind_words(span: Span) -> str:
    """Return the kind in words, with the work type if it has one: "work item, sql"."""
    words = span.kind.replace("_", " ")
    return f"{words}, {span.work_type}" if span.kind in TYPED and span.work_type else words


def kind_legend() -> list[tuple[str, str, Markup]]:
    """Return the classes of kinds with their names and icons."""
    return [(name, words, _ICONS[name]) for name, (words, _) in KINDS.items()]
