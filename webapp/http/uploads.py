"""Receiving a file as the body of a request: in memory if it is small, else in a temporary file."""

from __future__ import annotations

import asyncio
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from quart import request
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout

from signalbox.webapp.http.body_limits import BoundedRequest
from signalbox.webapp.http.encodings import UnsupportedEncoding
from signalbox.webapp.http.refusals import NoRoomForUpload

MEMORY_BYTES = 1024 * 1024
"""A larger file is kept on the disk until it is stored."""

FORM = "application/x-www-form-urlencoded"
"""The type that curl sends for a file unless it is told another one."""

UPLOAD_TIMEOUT_S = 600.0
"""Seconds in which a file must arrive."""


def sent_type() -> str | None:
    """Return the content type of the body, or None if the client chose none."""
    return None if request.mimetype == FORM else request.headers.get("Content-Type")


async def receive_file() -> BinaryIO:
    """Receive the body of the request. The caller closes the file.

    Raises RequestEntityTooLarge, RequestTimeout, UnsupportedEncoding, NoRoomForUpload, and the errors of the check of
    rights, which is repeated when the whole body has arrived.
    """
    asked = cast(BoundedRequest, request._get_current_object())  # type: ignore[attr-defined]
    body = asked.bounded_body
    if body.coding:
        raise UnsupportedEncoding(f"{body.coding} of a file: send it as it is")
    file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115  # the caller closes it
    try:
        size = 0
        async with asyncio.timeout(UPLOAD_TIMEOUT_S):
            async for data in body:
                size += len(data)
                if body.max_bytes is not None and size > body.max_bytes:
                    raise RequestEntityTooLarge
                try:
                    file.write(data)
                except OSError as error:
                    raise NoRoomForUpload(f"an uploaded file cannot be stored for a while: {error}", 30) from error
            # A body that exceeds the limit also ends the loop.
            body.check()
        if asked.on_body_received is not None:
            await asked.on_body_received()
    except TimeoutError:
        file.close()
        raise RequestTimeout from None
    except BaseException:
        body.discard()
        file.close()
        raise
    return cast(BinaryIO, file)
