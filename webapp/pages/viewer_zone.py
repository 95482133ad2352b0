"""The viewer's time zone: the form that selects it, and times that a viewer types."""

from __future__ import annotations

from datetime import UTC
from urllib.parse import quote

from quart import Blueprint, redirect, request
from werkzeug.wrappers import Response as Redirect

from signalbox.webapp.auth.access import public
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.params import parameter, time_parameter
from signalbox.webapp.http.return_path import referring_path
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.views.time_zones import COOKIE, UTC_ZONE, Zone, zone_named

MAX_AGE_S = 365 * 86400

blueprint = Blueprint("viewer_zone", __name__)


@blueprint.post("/time-zone")
@public
async def select() -> Redirect:
    """Keep the zone in a cookie. An empty one means that of the browser, which a script puts into the cookie."""
    name = (await request.form).get("zone", "")
    response = redirect(f"{referring_path(at_root('/help'))}#help-times", 303)
    if name:
        response.set_cookie(
            COOKIE,
            quote(_named(name).name, safe="/"),
            max_age=MAX_AGE_S,
            path=request.root_path or "/",
            secure=request.scheme == "https",
            samesite="Lax",
        )
    else:
        response.delete_cookie(COOKIE, path=request.root_path or "/")
    return response


def time_of_viewer(name: str) -> str | None:
    """Return a parameter that is a time; if it names no zone, it is in that of the parameter `zone`, or else in UTC."""
    zone, text = _named(parameter("zone") or "UTC"), (parameter(name) or "").strip()
    at = time_parameter(name)
    if at is None or zone is UTC_ZONE or text.endswith(("Z", "z")) or "+" in text[10:] or "-" in text[10:]:
        return at
    return local_as_utc(at, zone)


def day_of_viewer(name: str, at: str | None) -> str | None:
    """Return the time `at` of the parameter `name`; if that is a day, its start in the zone of the parameter `zone`."""
    if at is None or len((parameter(name) or "").strip()) != len("2026-11-21"):
        return at
    return local_as_utc(at, _named(parameter("zone") or "UTC"))


def local_as_utc(at: str, zone: Zone) -> str:
    """Return a time of the store's form that was read as UTC, but is a local time in `zone`."""
    try:
        return zone.utc(at.removesuffix("Z")).astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
    except OverflowError:
        return at


def _named(name: str) -> Zone:
    zone = zone_named(name)
    if zone is None:
        raise BadRequest(f"zone must be a time zone such as Europe/Berlin, not {name[:40]!r}", "zone")
    return zone
