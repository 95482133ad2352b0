"""Helpers for pages: HTML responses, the values of the layout, and the cursor and epoch of a page's stream."""

from __future__ import annotations

from quart import Response, request

from signalbox.store.times import now
from signalbox.webapp.auth.guard import principal
from signalbox.webapp.current import settings, store
from signalbox.webapp.http.log_reading import reading_of
from signalbox.webapp.http.params import MAX_SEQ, int_parameter, last_event_id
from signalbox.webapp.live import sse
from signalbox.webapp.live.stream import message_stream
from signalbox.webapp.views.time_zones import COOKIE, Zone, in_zone, zone_of_cookie


def html(text: str) -> Response:
    """Return an HTML response, with its times in the viewer's zone."""
    return Response(in_zone(text, viewer_zone()), content_type="text/html; charset=utf-8")


def viewer_zone() -> Zone:
    """Return the time zone of the viewer, from the cookie; UTC without one."""
    return zone_of_cookie(request.cookies.get(COOKIE))


async def layout() -> dict[str, object]:
    """Return the values that the layout of every page uses."""
    caller = await principal()
    async with store().glance() as view:
        permissions_open = await view.count_open_permissions(caller.projects("read"))
    return {
        "person": caller.name if caller.is_person else "",
        "permissions_open": permissions_open,
        "epoch": store().epoch,
        "administrates": caller.projects("admin") != (),
        "zone": viewer_zone().name,
        "server_time": now(),
        "heartbeat": settings().keepalive_interval,
        "reading": reading_of(request),
        "base_url": f"{request.host_url.rstrip('/')}{request.root_path}",
    }


def cursor_of_stream() -> int:
    """Return the cursor of a page's stream: `Last-Event-ID` if it was sent, else `since`. Raises BadRequest."""
    last = last_event_id()
    return int_parameter("since", 0, 0, MAX_SEQ) if last is None else last


def epoch_of(identity: str) -> str:
    """Return the epoch of a task's page. It changes if the store is restored or another task gets the task's id."""
    return f"{store().epoch}.{identity}"


def shows_other_history(newest: int, cursor: int, identity: str = "") -> bool:
    """Whether the page was rendered from another history: the store was restored or replaced, or the task was."""
    epoch = request.args.get("epoch")
    # Pages of an older server send only the store's epoch.
    return cursor > newest or (epoch is not None and epoch not in (store().epoch, epoch_of(identity)))


def reset_stream(newest: int) -> Response:
    """Return a stream whose only message is `reset`, so that the page reloads."""
    return message_stream(sse.reset({"latest_seq": newest, "epoch": store().epoch}))
