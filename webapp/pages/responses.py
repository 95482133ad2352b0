"""Responses of pages: HTML in the layout, and what a stream of frames needs from its request."""

from __future__ import annotations

from quart import Response, request

from signalbox.webapp.auth.guard import principal
from signalbox.webapp.current import settings, store
from signalbox.webapp.http.params import MAX_SEQ, last_event_id, whole
from signalbox.webapp.live import sse
from signalbox.webapp.live.stream import closing


def html(text: str) -> Response:
    """An HTML response."""
    return Response(text, content_type="text/html; charset=utf-8")


async def layout() -> dict[str, object]:
    """The values that the layout of every page uses."""
    caller = await principal()
    async with store().read() as view:
        permissions_open = await view.count_open_permissions(caller.projects("read"))
    return {
        "person": caller.name if caller.is_person else "",
        "permissions_open": permissions_open,
        "epoch": store().epoch,
        "heartbeat": settings().keepalive_interval,
        "base_url": f"{request.host_url.rstrip('/')}{request.root_path}",
    }


def cursor_of_stream() -> int:
    """The cursor of a page's stream: `Last-Event-ID` if it is there, else `since`. Raises BadRequest."""
    last = last_event_id()
    return whole("since", 0, 0, MAX_SEQ) if last is None else last


def epoch_of(identity: str) -> str:
    """The epoch of a task's page. It changes when the store does, and when another task gets the task's id."""
    return f"{store().epoch}.{identity}"


def shows_other_history(newest: int, cursor: int, identity: str = "") -> bool:
    """Whether the page was rendered from another history: the store was restored or made anew, or the task was."""
    epoch = request.args.get("epoch")
    # A page of an older server names the store alone.
    return cursor > newest or (epoch is not None and epoch not in (store().epoch, epoch_of(identity)))


def reset_stream(newest: int) -> Response:
    """The response to such a page: a stream that only says `reset`, so that the page reloads."""
    return closing(sse.reset({"latest_seq": newest, "epoch": store().epoch}))
