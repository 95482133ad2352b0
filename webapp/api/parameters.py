"""Parameters that several routes of the API have in common."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from signalbox.webapp.http.params import MAX_SEQ, parse_position

POSITION = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": MAX_SEQ}, {"type": "string", "maxLength": 0}]}
"""The schema of a cursor. An empty text counts as not given."""


def _position(name: str, text: str) -> int | None:
    return parse_position(name, text) if text else None


Seq = Annotated[int, Meta(ge=0, le=MAX_SEQ)]
LIMIT_DESCRIPTION = "The maximum number of items."
SinceSeq = Annotated[Seq, Meta(description="The seq after which to start, exclusive.")]
_AT = "The id of the last message that the client received."
_READ: dict[str, Any] = {"read": _position}
_LastId = Annotated[
    int | None, Meta(description=f"{_AT} It takes precedence over since_seq.", extra_json_schema=POSITION, extra=_READ)
]
_Header = Annotated[
    int | None,
    Meta(
        description=f"{_AT} It takes precedence over all other parameters.",
        extra_json_schema=POSITION,
        extra=_READ | {"in": "header"},
    ),
]


Identity = Annotated[
    str | None,
    Meta(description="The identity of the task: 410 if this task was deleted and another one has its id."),
]


class IdentityParameter(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of the requested task, because its id may have been used again. The guard checks it."""

    identity: Identity = None


class LastEventId(msgspec.Struct, frozen=True, kw_only=True):
    """The position of a client that reconnects, as a header, or as a parameter for clients that cannot set headers."""

    header: _Header = msgspec.field(name="Last-Event-ID", default=None)
    camel: _LastId = msgspec.field(name="lastEventId", default=None)
    snake: _LastId = msgspec.field(name="last_event_id", default=None)

    @property
    def last_id(self) -> int | None:
        """The id of the last message, or None for a client's first stream. The header takes precedence."""
        return next((one for one in (self.header, self.camel, self.snake) if one is not None), None)


class Resume(LastEventId, frozen=True, kw_only=True):
    """Where a stream starts: after the id of the last message, else after `since_seq`."""

    since_seq: SinceSeq = 0
    identity: Identity = None

    @property
    def cursor(self) -> int:
        """The seq after which the stream starts."""
        return self.since_seq if self.last_id is None else self.last_id
