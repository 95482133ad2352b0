"""Spans as CSV, for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from signalbox.store.state import Span
from signalbox.webapp.drawing.words import safe
from signalbox.webapp.views.text import seconds

COLUMNS = (
    *("span_id", "parent_span_id", "kind", "name", "phase", "state", "attempts", "work_item_id", "work_type"),
    *("started_seq", "started_at", "ended_seq", "ended_at", "seconds", "message", "error"),
)


def head_row() -> str:
    """Return the header row."""
    return _rows([COLUMNS])


def span_rows(spans: Iterable[Span]) -> str:
    """Return the rows of some spans. The column `seconds` is the span's duration."""
    return _rows([[_cell(_value(span, name)) for name in COLUMNS] for span in spans])


def _value(span: Span, name: str) -> object:
    if name != "seconds":
        return getattr(span, name)
    return f"{seconds(span.started_at, span.ended_at):.6f}" if span.ended_at else None


def _cell(value: object) -> str:
    text = "" if value is None else "\n".join(safe(line, colours=False) for line in str(value).splitlines())
    # A spreadsheet would evaluate such a text as a formula (OWASP, CSV injection).
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def _rows(rows: Iterable[Iterable[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
