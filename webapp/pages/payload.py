"""The payload of one event: a page, the viewer alone for a page that loads it, and its pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

from quart import Blueprint, Response, request

from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import fragments, store
from signalbox.webapp.drawing.payload.address import MAX_POINTER_CHARS, PayloadAddress
from signalbox.webapp.drawing.payload.search import Search
from signalbox.webapp.drawing.payload.shell import shell_commands
from signalbox.webapp.drawing.payload.viewer import best_view, exact, json_of, piece
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.params import choice_parameter, flag_parameter, int_parameter, parameter
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.http.view_choices import VIEWS, remember_view, views_of
from signalbox.webapp.pages.responses import html, layout
from signalbox.webapp.views.json_pointer import names
from signalbox.webapp.views.payload import PayloadView, payload_view

blueprint = Blueprint("payload", __name__)

MAX_QUERY_CHARS = 256
IN_THREAD_BYTES = 16 * 1024
"""Rendering a payload over this size takes a while, so a thread does it and streams are not delayed."""

T = TypeVar("T")


@blueprint.get("/tasks/<task_id>/events/<int:seq>/payload")
@needs("read")
async def show(task_id: str, seq: int) -> Response:
    """Show the value at `pointer` in the payload of one event.

    With `part=payload` the answer is the viewer alone, with `part=piece` its content from the member or character
    `from` on, and with `part=text` the exact value, to copy it. `choose=1` remembers the view for similar payloads.
    """
    pointer, query = _text("pointer", MAX_POINTER_CHARS), _text("q", MAX_QUERY_CHARS)
    part, view = choice_parameter("part", "payload", "piece", "text"), choice_parameter("view", *VIEWS)
    start, chooses = int_parameter("from", 0, 0, 2**31), flag_parameter("choose")
    async with store().read() as reading:
        seen = await payload_view(reading, task_id, seq, pointer)
    address = PayloadAddress.of_event(at_root(f"/tasks/{task_id}"), seen.task, seq, pointer)
    if part == "text":
        text = await _in_time(seen, lambda: _exact(seen, view))
        return Response(text.encode(errors="replace"), content_type="text/plain; charset=utf-8")
    if part == "piece":
        return html(await _in_time(seen, lambda: _piece(seen, address, view, query, start)))
    preferred = views_of(request)
    viewer = await _in_time(seen, lambda: _viewer(seen, address, view, query, start, preferred))
    if part == "payload":
        response = html(viewer)
    else:
        values = {"task": seen.task, "event": seen.event, "path": at_root(f"/tasks/{task_id}"), "viewer": viewer}
        values |= {"places": _places(address)}
        response = html(fragments().plain_page("payload/show.html", await layout(), **values))
    if view and chooses:
        remember_view(response, request, best_view(seen.value, pointer, shell_commands(seen.payload)), view)
    return response


def _text(name: str, limit: int) -> str:
    text = parameter(name) or ""
    if len(text) > limit:
        raise BadRequest(f"{name} must have at most {limit} characters, not {len(text)}", name)
    return text


def _viewer(
    seen: PayloadView, address: PayloadAddress, view: str, query: str, start: int, preferred: Mapping[str, str]
) -> str:
    return fragments().payload_viewer.render(
        seen.payload, address, view, query, start, stored=seen.stored, preferred=preferred
    )


def _piece(seen: PayloadView, address: PayloadAddress, view: str, query: str, start: int) -> str:
    commands = shell_commands(seen.payload)
    view = view or best_view(seen.value, address.pointer, commands)
    return piece(seen.value, address, view, Search(query, seen.value), start, commands, stored=seen.stored)


def _exact(seen: PayloadView, view: str) -> str:
    return seen.stored or json_of(seen.value) if view == "raw" else exact(seen.value, seen.stored)


def _places(address: PayloadAddress) -> list[tuple[str, PayloadAddress]]:
    """Return the values that contain the one at `address`, the outermost first, and that value itself."""
    path = names(address.pointer)
    steps = address.pointer.split("/")
    return [(name, address.at("/".join(steps[: at + 1]))) for at, name in enumerate(["payload", *path])] if path else []


async def _in_time(seen: PayloadView, render: Callable[[], T]) -> T:
    return render() if seen.bytes <= IN_THREAD_BYTES else await asyncio.to_thread(render)
