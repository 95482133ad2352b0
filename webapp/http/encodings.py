"""Decodes compressed request bodies (Content-Encoding, RFC 9110 section 8.4): gzip and deflate, up to a limit."""

from __future__ import annotations

import zlib

from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from signalbox.webapp.http.bad_request import BadRequest

ACCEPTED = "gzip, deflate, identity"
"""The Accept-Encoding header of a 415 response (RFC 9110, section 12.5.3)."""

MAX_GZIP_MEMBERS = 64
"""Maximum number of members in a gzip body. Each one copies the rest of the body."""


class UnsupportedEncoding(UnsupportedMediaType):
    """A body has another Content-Encoding, or more than one."""

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"Content-Encoding {encoding[:40]!r} is not supported; send the body as it is or with gzip or deflate"
        )


def encoding_of(header: str) -> str:
    """Return the coding of a Content-Encoding header, or "" for none. Raises UnsupportedEncoding."""
    codings = [name for name in (part.strip().lower() for part in header.split(",")) if name not in ("", "identity")]
    if not codings:
        return ""
    coding = codings[0].removeprefix("x-")
    if len(codings) > 1 or coding not in ("gzip", "deflate"):
        raise UnsupportedEncoding(header)
    return coding


def inflated(data: bytes, coding: str, max_bytes: int) -> bytes:
    """Return `data` decompressed. At most `max_bytes` bytes are ever produced.

    Raises RequestEntityTooLarge if there are more, and BadRequest if `data` is not valid in this coding.
    """
    out = b""
    try:
        for _ in range(MAX_GZIP_MEMBERS):
            member = zlib.decompressobj(_window(data, coding))
            out += member.decompress(data, max_bytes - len(out) + 1)
            if len(out) > max_bytes:
                raise RequestEntityTooLarge
            if not member.eof:
                raise BadRequest(f"the body is not complete {coding}")
            data = member.unused_data
            if not data:
                return out
            if coding != "gzip":
                break
    except zlib.error as error:
        raise BadRequest(f"the body is not valid {coding}: {error}") from None
    raise BadRequest(f"the body has further bytes after its {coding} data")


def _window(data: bytes, coding: str) -> int:
    if coding == "gzip":
        return 16 + zlib.MAX_WBITS
    # "deflate" has a zlib header (RFC 1950), which some clients leave out.
    with_header = len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    return zlib.MAX_WBITS if with_header else -zlib.MAX_WBITS
