"""The route converter `name`, for ids that a run has chosen: `<name:span_id>` at the end of a route."""

from __future__ import annotations

from quart import Quart
from werkzeug.routing import BaseConverter

from signalbox.store.path_segments import name_of


class Name(BaseConverter):
    """Matches the rest of the path, slashes included, and decodes it with `name_of`."""

    regex = r"[\s\S]+"
    part_isolating = False

    def to_python(self, value: str) -> str:
        return name_of(value)


def install(app: Quart) -> None:
    """Register the converter. Call it before any route is defined."""
    app.url_map.converters["name"] = Name
