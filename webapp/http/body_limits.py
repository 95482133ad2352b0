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

MAX_DECOMPRESSED_BYTES = 64 * 1024 * 1024
"""Maximum bytes of a decompressed body on a route without a limit."""


class BoundedBody(Body):
    """A body of limited size, received only when it is awaited. `coding` is its content coding, "" for none.

    `received` is the number of bytes that have arrived.
    """

    def __init__(self, expected: int | None, max_bytes: int | None) -> None:
        super().__init__(expected, max_bytes)
        self._expected = expected
        self.max_bytes = max_bytes
        self.coding = ""
        self.wanted = asyncio.Event()
        self.received = 0

    def append(self, data: bytes) -> None:
        self.received += len(data)
        super().append(data)

    def set_limit(self, max_bytes: int) -> None:
        """Limit the body to `max_bytes` bytes."""
        if self.max_bytes is None or max_bytes < self.max_bytes:
            self.max_bytes = self._max_content_length = max_bytes
            if self._expected is not None and self._expected > max_bytes:
                self._must_raise = RequestEntityTooLarge()

    def replace_limit(self, max_bytes: int) -> None:
        """Limit the body to `max_bytes` bytes, also if that is more than before."""
        self.max_bytes = self._max_content_length = max_bytes
        over = self._expected is not None and self._expected > max_bytes
        self._must_raise = RequestEntityTooLarge() if over else None

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
        max_bytes = self.max_bytes if self.max_bytes is not None else MAX_DECOMPRESSED_BYTES
        return (yield from asyncio.to_thread(inflated, data, self.coding, max_bytes).__await__())

    async def __anext__(self) -> bytes:
        if self.coding:
            raise UnsupportedEncoding(f"{self.coding} of this kind of form")
        if self._must_raise is None:
            self.wanted.set()
        return await super().__anext__()


async def parse_form(
    parser: FormDataParser, body: Body, mimetype: str, content_length: int | None, options: dict[str, str]
) -> tuple[MultiDict[str, str], MultiDict[str, Any]]:
    """Parse a URL-encoded form. Raises RequestEntityTooLarge if it has too many fields."""
    data = await body
    if data.count(b"&") >= MAX_FORM_FIELDS:
        raise RequestEntityTooLarge(f"a form may have at most {MAX_FORM_FIELDS} fields")
    return MultiDict(parse_qsl(data.decode(errors="replace"), keep_blank_values=True)), MultiDict()


class LimitedFormParser(FormDataParser):
    """Quart's form parser, with a limit on the number of fields of a URL-encoded form."""

    parse_functions = {  # noqa: RUF012
        **FormDataParser.parse_functions,
        "application/x-www-form-urlencoded": parse_form,
        "application/x-url-encoded": parse_form,
    }


class BoundedRequest(Request):
    """Quart's request with a `BoundedBody`."""

    body_class = BoundedBody  # type: ignore[assignment]
    form_data_parser_class = LimitedFormParser
    on_body_received: Callable[[], Awaitable[None]] | None = None
    """Called when the whole body has arrived, to check rights again: they may have been revoked meanwhile."""
    on_answered: Callable[[], None] | None = None
    """Called when the request is over, whether or not it was answered."""

    @property
    def has_body(self) -> bool:
        """Whether the headers announce a body."""
        return bool(self.content_length) or "Transfer-Encoding" in self.headers

    @property
    def received_form(self) -> MultiDict[str, str] | None:
        """The fields of the form, if it was received."""
        return self._form

    async def receive_form(self) -> None:
        """Receive the form, if that has not happened yet."""
        await self._load_form_data()

    async def get_data(self, *args: Any, **kwargs: Any) -> Any:
        data = await super().get_data(*args, **kwargs)
        await self._body_received()
        return data

    async def _load_form_data(self) -> None:
        first = self._form is None
        await super()._load_form_data()
        if first:
            await self._body_received()

    async def _body_received(self) -> None:
        if self.on_body_received is not None:
            await self.on_body_received()

    @property
    def bounded_body(self) -> BoundedBody:
        """The body, typed as `BoundedBody`."""
        return cast(BoundedBody, self.body)

    def set_limits(self, *, public: bool, own_limit: int | None = None) -> None:
        """Set the limits of the matched route, before any byte is read. Raises UnsupportedEncoding.

        `own_limit` is the limit of a route that receives files of any type.
        """
        body = self.bounded_body
        if self.has_body:
            body.coding = encoding_of(self.headers.get("Content-Encoding", ""))
        if own_limit is not None:
            body.replace_limit(own_limit)
        elif public:
            body.set_limit(MAX_PUBLIC_BODY_BYTES)
            self.body_timeout = PUBLIC_BODY_TIMEOUT_S  # type: ignore[assignment]
        elif self.mimetype in LimitedFormParser.parse_functions:
            body.set_limit(MAX_FORM_BYTES)
