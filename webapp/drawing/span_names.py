"""The name of a span for a narrow column. The name of a test keeps its end, because its beginning is a path."""

from __future__ import annotations

from markupsafe import Markup, escape

from signalbox.store.state import Span
from signalbox.webapp.views.text import clean, display_text

MAX_CHARS = 300
_PARTS = Markup('<span class="name-front">{}</span><span class="name-end">{}</span>')


def span_name(span: Span) -> Markup:
    """Return the name of a span as HTML. Of the id of a test, such as `path::test`, only the path is cut."""
    name = clean(display_text(span.name, MAX_CHARS))
    # Parameters may contain the separator too.
    front, separator, _ = name.partition("[")[0].rpartition("::")
    if not front:
        return escape(name)
    return _PARTS.format(front + separator, name[len(front + separator) :])
