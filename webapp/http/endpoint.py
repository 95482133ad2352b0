"""Declares the request and the response of a route by its signature: `@endpoint("Tasks, newest first.")`.

    @blueprint.post("/<task_id>/cancel")
    @needs("respond")
    @endpoint("Ask a run to stop.", status=201, raises=(Conflict,))
    async def cancel(task_id: str, body: CancelBody) -> Event: ...

`query` is a struct of parameters (see query_parameters.py), `body` is the type of the JSON body, and the return
annotation is the type of the JSON response. A `body` with a default may be missing from the request. The route gets
the parsed values, and its result is encoded, so the declaration cannot differ from the behaviour. The OpenAPI document
is generated from the declarations.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from quart import Quart, Response

from signalbox.webapp.http.json import body_as, json_response
from signalbox.webapp.http.query_parameters import query_as

T = TypeVar("T")
V = TypeVar("V", bound=Callable[..., Any])
JSON = "application/json"
EVENT_STREAM = "text/event-stream"


class Result(msgspec.Struct, Generic[T]):
    """A route's result with a status or headers of its own. `next` is the address of the next page."""

    value: T
    status: int | None = None
    next: str | None = None
    location: str | None = None
    retry_after: int | None = None


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The declaration of a route. `result` is the type of the JSON response, or None for a response without a body.

    `statuses` lists the statuses of success, the usual one first. `raises` lists the exceptions in addition to
    those of every route. With `receives_file` the body is a file of any type. With `pages` a response may have a `Link`
    to the next page, with `located` a `Location`.
    """

    summary: str
    details: str
    query: type[Any] | None
    body: Any
    body_required: bool
    result: Any
    media_type: str
    statuses: tuple[int, ...]
    raises: tuple[type[Exception], ...]
    pages: bool
    located: bool
    receives_file: bool = False


def endpoint(
    summary: str,
    *,
    status: int = 200,
    also: tuple[int, ...] = (),
    raises: tuple[type[Exception], ...] = (),
    media_type: str = JSON,
    pages: bool = False,
    located: bool = False,
    receives_file: bool = False,
) -> Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Response]]]:
    """Declare a route of the API; see Endpoint. With another `media_type` than JSON it returns a Response."""

    def declare(view: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Response]]:
        hints = get_type_hints(view, include_extras=True)
        given = inspect.signature(view).parameters
        result = hints.get("return")
        if get_origin(result) is Result:
            (result,) = get_args(result)
        query, body = hints.get("query"), _without_none(hints.get("body"))
        required = "body" in given and given["body"].default is inspect.Parameter.empty
        declared = Endpoint(
            summary=summary,
            details=inspect.getdoc(view) or "",
            query=query,
            body=body,
            body_required=required,
            result=None if result in (type(None), Response) else result,
            media_type=media_type,
            statuses=(status, *also),
            raises=raises,
            pages=pages,
            located=located,
            receives_file=receives_file,
        )

        @wraps(view)
        async def call(**parts: Any) -> Response:
            if query is not None:
                parts["query"] = query_as(query)
            if body is not None:
                parts["body"] = await body_as(body, required=required)
            return _response(await view(**parts), declared)

        call.endpoint = declared  # type: ignore[attr-defined]
        return call

    return declare


def socket_endpoint(summary: str, *, query: type[Any]) -> Callable[[V], V]:
    """Declare a WebSocket. Its route reads the parameters `query` itself, because it refuses them with a close code."""

    def declare(view: V) -> V:
        view.endpoint = Endpoint(  # type: ignore[attr-defined]
            summary=summary,
            details=inspect.getdoc(view) or "",
            query=query,
            body=None,
            body_required=False,
            result=None,
            media_type="",
            statuses=(101,),
            raises=(),
            pages=False,
            located=False,
        )
        return view

    return declare


def endpoint_of(app: Quart, name: str) -> Endpoint | None:
    """Return the declaration of the route with this endpoint name; None if the route is not part of the API."""
    return getattr(app.view_functions[name], "endpoint", None)


def _without_none(kind: Any) -> Any:
    """Return `T` for `T | None`."""
    rest = [one for one in get_args(kind) if one is not type(None)]
    return rest[0] if len(rest) == 1 and len(get_args(kind)) == 2 and get_origin(kind) is not list else kind


def _response(found: Any, declared: Endpoint) -> Response:
    if isinstance(found, Response):
        return found
    if found is None:
        return Response(status=declared.statuses[0])
    more = found if isinstance(found, Result) else None
    status = more.status if more and more.status else declared.statuses[0]
    response = json_response(more.value if more else found, status)
    if more and more.next is not None:
        response.headers["Link"] = f'<{more.next}>; rel="next"'
    if more and more.location is not None:
        response.headers["Location"] = more.location
    if more and more.retry_after is not None:
        response.headers["Retry-After"] = str(more.retry_after)
    return response
