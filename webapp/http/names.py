"""Names at the end of a route: `<name:span_id>`."""

from __future__ import annotations

from quart import Quart
from werkzeug.routing import BaseConverter

from signalbox.webapp.http.segments import name_of


class Name(BaseConverter):
    """Whatever a run calls its things, also a path with its first slash; it ends the address."""

    regex = r"[\s\S]+"
    part_isolating = False

    def to_python(self, value: str) -> str:
        return name_of(value)


def install(app: Quart) -> None:
    """Let routes name such parts; before any route is made."""
    app.url_map.converters["name"] = Name
