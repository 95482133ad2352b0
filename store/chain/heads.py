"""Signed heads: the newest link of a log at one moment, with a signature.

A link depends on all events before it, so one head proves all of them.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from signalbox.store.chain.links import LINK_BYTES
from signalbox.store.errors import InvalidEvent

Reason = Literal["events", "end", "import"]
"""Why a head was signed: after a number of events, at the end of the run, or when the log was imported."""


class LogHead(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a log. `identity` is that of the task when the head was signed, `link` has 64 hexadecimal digits."""

    task_id: str
    identity: str
    seq: int
    link: str
    signed_at: str
    reason: Reason

    def signed_text(self) -> bytes:
        """Return the bytes that are signed. They leave out the task id, so that a head survives an import."""
        lines = ("signalbox head 1", self.identity, self.seq, self.link, self.signed_at, self.reason)
        return "".join(f"{line}\n" for line in lines).encode(errors="surrogatepass")


class SignedHead(LogHead, frozen=True, kw_only=True):
    """A head with its signature, in hexadecimal digits. `key_id` names the key."""

    key_id: str
    signature: str


class SigningKey(Protocol):
    """A key that signs."""

    @property
    def key_id(self) -> str:
        """The name of the key: its kind, a colon, and 16 hexadecimal digits of a digest."""

    def sign(self, text: bytes) -> str:
        """Return the signature of a text, in hexadecimal digits."""


class CheckingKey(Protocol):
    """A key that checks signatures."""

    @property
    def key_id(self) -> str:
        """The name of the key, as in `SigningKey`."""

    def confirms(self, text: bytes, signature: str) -> bool:
        """Return whether this is a signature of the text with this key."""


def signed(head: LogHead, key: SigningKey) -> SignedHead:
    """Return the head with a signature."""
    return SignedHead(**msgspec.structs.asdict(head), key_id=key.key_id, signature=key.sign(head.signed_text()))


def check_head(head: SignedHead) -> None:
    """Raise ValueError unless a head that somebody else wrote can be stored and compared."""
    if len(bytes.fromhex(head.link)) != LINK_BYTES:
        raise ValueError("the link must have 64 hexadecimal digits")
    if not 0 < head.seq < 2**63:
        raise ValueError("the seq must be from 1 to 9223372036854775807")


def read_heads(lines: bytes) -> list[SignedHead]:
    """Return the heads of a published file: a JSON object on each line. Raises InvalidEvent that names the line."""
    found = []
    for number, line in enumerate(lines.splitlines(), 1):
        if not line.strip():
            continue
        try:
            head = msgspec.json.decode(line, type=SignedHead)
            check_head(head)
        except (ValueError, RecursionError) as error:
            raise InvalidEvent(f"line {number} of the heads is not a signed head: {error}") from None
        found.append(head)
    return found
