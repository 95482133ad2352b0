"""Compressed request bodies (Content-Encoding, RFC 9110 section 8.4): gzip and deflate, inflated up to a limit."""

from __future__ import annotations

import zlib

from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from signalbox.webapp.http.bad_request import BadRequest

ACCEPTED = "gzip, deflate, identity"
"""What a 415 says in Accept-Encoding (RFC 9110, section 12.5.3)."""

MOST_MEMBERS = 64
"""Members of one gzip body: each costs a copy of what follows it."""


class UnsupportedEncoding(UnsupportedMediaType):
    """A body is compressed in another way, or more than once."""

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"Content-Encoding {encoding[:40]!r} is not possible; send the body as it is, with gzip or with deflate"
        )


def encoding_of(header: str) -> str:
    """The one coding that a Content-Encoding names, "" for none. Raises UnsupportedEncoding."""
    codings = [name for name in (part.strip().lower() for part in header.split(",")) if name not in ("", "identity")]
    if not codings:
        return ""
    coding = codings[0].removeprefix("x-")
    if len(codings) > 1 or coding not in ("gzip", "deflate"):
        raise UnsupportedEncoding(header)
    return coding


def inflated(data: bytes, coding: str, most: int) -> bytes:
    """`data` without its coding. No more than `most` bytes of it are ever made.

    Raises RequestEntityTooLarge for more than that, and BadRequest for what is not in the coding.
    """
    out = b""
    try:
        for _ in range(MOST_MEMBERS):
            member = zlib.decompressobj(_window(data, coding))
            out += member.decompress(data, most - len(out) + 1)
            if len(out) > most:
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
    raise BadRequest(f"something follows the {coding} of the body")


def _window(data: bytes, coding: str) -> int:
    if coding == "gzip":
        return 16 + zlib.MAX_WBITS
    # "deflate" has the header of zlib (RFC 1950), but some clients leave it out.
    with_header = len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    return zlib.MAX_WBITS if with_header else -zlib.MAX_WBITS
