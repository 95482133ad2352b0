"""Limits on request bodies. A body is read only when its route asks for it, and only up to the route's limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any, cast
from urllib.parse import parse_qsl

from quart import Request
from quart.formparser import FormDataParser
from quart.wrappers.request import Body
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from signalbox.webapp.http.encodings import UnsupportedEncoding, encoding_of, inflated

MAX_PUBLIC_BODY_BYTES = 16 * 1024
"""Maximum bytes of a body on a route that needs no log-in."""

PUBLIC_BODY_TIMEOUT_S = 20.0
"""Seconds in which a body must arrive on a route that needs no log-in."""

MAX_FORM_BYTES = 256 * 1024
"""Maximum bytes of a form. The longest form of the pages lists 500 tasks."""

MAX_FORM_FIELDS = 2000
"""Maximum number of fields of a form."""


class BoundedBody(Body):
    """A body that is received only once it is awaited, up to a limit."""

    def __init__(self, expected: int | None, most: int | None) -> None:
        super().__init__(expected, most)
        self._expected = expected
        self.most = most
        self.coding = ""
        self.wanted = asyncio.Event()

    def bound(self, most: int) -> None:
        """Limit the body to `most` bytes."""
        if self.most is None or most < self.most:
            self.most = self._max_content_length = most
            if self._expected is not None and self._expected > most:
                self._must_raise = RequestEntityTooLarge()

    def check(self) -> None:
        """Raise RequestEntityTooLarge if the Content-Length is over the limit, before any byte is read."""
        if self._must_raise is not None:
            raise self._must_raise

    def discard(self) -> None:
        """Discard all further bytes, because the route no longer reads the body."""
        self._must_raise = self._must_raise or RequestEntityTooLarge()
        self.clear()
        self.wanted.set()

    def __await__(self) -> Generator[Any, None, Any]:
        if self._must_raise is None:
            self.wanted.set()
        data = yield from super().__await__()
        if not self.coding or not data:
            return data
        # Limit the inflated size even if the route has no limit.
        most = self.most if self.most is not None else 64 * 1024 * 1024
        return (yield from asyncio.to_thread(inflated, data, self.coding, most).__await__())

    async def __anext__(self) -> bytes:
        if self.coding:
            raise UnsupportedEncoding(f"{self.coding} of this kind of form")
        if self._must_raise is None:
            self.wanted.set()
        return await super().__anext__()


async def few_fields(
    parser: FormDataParser, body: Body, mimetype: str, content_length: int | None, options: dict[str, str]
) -> tuple[MultiDict[str, str], MultiDict[str, Any]]:
    """Parse a URL-encoded form. Raises RequestEntityTooLarge if it has too many fields."""
    data = await body
    if data.count(b"&") >= MAX_FORM_FIELDS:
        raise RequestEntityTooLarge(f"a form may have at most {MAX_FORM_FIELDS} fields")
    return MultiDict(parse_qsl(data.decode(errors="replace"), keep_blank_values=True)), MultiDict()


class Forms(FormDataParser):
    """Quart's parser of forms, with a limit on the number of fields."""

    parse_functions = {  # noqa: RUF012
        **FormDataParser.parse_functions,
        "application/x-www-form-urlencoded": few_fields,
        "application/x-url-encoded": few_fields,
    }


class BoundedRequest(Request):
    """Quart's request with a `BoundedBody`."""

    body_class = BoundedBody  # type: ignore[assignment]
    form_data_parser_class = Forms
    recheck: Callable[[], Awaitable[None]] | None = None
    """Called when the body has arrived, to check rights again: they may have ended meanwhile."""

    @property
    def has_body(self) -> bool:
        """Whether the headers announce a body."""
        return bool(self.content_length) or "Transfer-Encoding" in self.headers

    async def get_data(self, *given: Any, **more: Any) -> Any:
        data = await super().get_data(*given, **more)
        await self._received()
        return data

    async def _load_form_data(self) -> None:
        first = self._form is None
        await super()._load_form_data()
        if first:
            await self._received()

    async def _received(self) -> None:
        if self.recheck is not None:
            await self.recheck()

    @property
    def bounded(self) -> BoundedBody:
        """The body."""
        return cast(BoundedBody, self.body)

    def bound(self, *, public: bool) -> None:
        """Set the limits of the matched route, before any byte is read. Raises UnsupportedEncoding."""
        body = self.bounded
        if self.has_body:
            body.coding = encoding_of(self.headers.get("Content-Encoding", ""))
        if public:
            body.bound(MAX_PUBLIC_BODY_BYTES)
            self.body_timeout = PUBLIC_BODY_TIMEOUT_S  # type: ignore[assignment]
        elif self.mimetype in Forms.parse_functions:
            body.bound(MAX_FORM_BYTES)
