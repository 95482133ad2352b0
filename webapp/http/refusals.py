"""Exceptions for refused requests. `webapp/http/errors.py` turns each into a response."""

from __future__ import annotations

import random
from collections.abc import Sequence

from werkzeug.exceptions import UnsupportedMediaType as _UnsupportedMediaType

from signalbox.store import Conflict, StoreUnavailable
from signalbox.store.people import Scope


class NotLoggedIn(Exception):
    """The caller is anonymous. `credential` is "token" or "session" if an invalid or expired one was sent."""

    def __init__(self, credential: str | None) -> None:
        super().__init__(NOT_LOGGED_IN[credential])


class Forbidden(Exception):
    """The caller lacks a right, in this project or (None) in general."""

    def __init__(self, who: str, scope: Scope, project_id: str | None) -> None:
        where = "" if project_id is None else f" in the project {project_id!r}"
        super().__init__(f"{who} does not have the right to {ACTION_OF_SCOPE[scope]}{where}")


class UnknownProject(Exception):
    """There is no project with this id."""

    def __init__(self, project_id: str) -> None:
        super().__init__(f"there is no project {project_id!r}")


class UnknownAgent(Exception):
    """Signalbox does not know the hooks of this coding agent."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"there is no coding agent {name!r}; known ones are {', '.join(known)}")


class UnknownPermission(Exception):
    """The run has made no permission request with this id."""

    def __init__(self, request_id: str) -> None:
        super().__init__(f"there is no permission request {request_id!r}")


class NoOpenRequest(Conflict):
    """No permission request is open, or the named request is not open."""


class WrongCredentials(Exception):
    """No account has this e-mail and this password."""

    def __init__(self) -> None:
        super().__init__("wrong e-mail or password")


class WrongHost(Exception):
    """The Host header is not a name of this server."""

    def __init__(self) -> None:
        super().__init__("this server does not answer under that host name; see the setting allowed_hosts")


class CrossSite(Exception):
    """A page of another site sent a request that changes something."""

    def __init__(self) -> None:
        super().__init__("posts from other sites are refused")


class UnsupportedMediaType(_UnsupportedMediaType):
    """A body has another type than JSON."""

    def __init__(self, media_type: str) -> None:
        super().__init__(f"the body must be JSON, with Content-Type application/json, not {media_type[:80]!r}")


class NotOtlp(_UnsupportedMediaType):
    """A body of OTLP has another type than protobuf or JSON."""

    def __init__(self, media_type: str) -> None:
        given = repr(media_type[:80]) if media_type else "no type"
        super().__init__(f"OTLP needs the Content-Type application/x-protobuf or application/json, not {given}")


class ExtraMissing(Exception):
    """The server lacks an optional library that the request needs. The message names the extra."""


class TooManyLogins(Exception):
    """Too many log-ins were tried. `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("too many attempts to log in; try again later")
        self.retry_after = retry_after


class LoginsBusy(Exception):
    """Too many log-ins wait for their password check. This attempt was not counted."""

    retry_after = 3.0

    def __init__(self) -> None:
        super().__init__("too many people are logging in at once; try again in a few seconds")


class QuotaExceeded(Exception):
    """A token has used up its quota of this minute. `retry_after` is in seconds."""

    def __init__(self, name: str, limits: str, retry_after: float) -> None:
        super().__init__(f"the token {name} may send {limits} per minute, and has sent them; see Retry-After")
        self.retry_after = retry_after


class TooManyStreams(Exception):
    """A limit on open streams is reached, or the server is about to stop. `retry_after` is in seconds, with jitter.

    `limit` is the caller's limit, or None if the limit is the server's. After a `closing` process the next one has
    room, so its callers may retry soon.
    """

    def __init__(self, limit: int | None = None, *, closing: bool = False) -> None:
        full = "the server is about to stop" if closing else "the server has reached its limit of open streams"
        super().__init__(full if limit is None else f"you have {limit} streams open, which is the limit for one caller")
        self.limit = limit
        self.retry_after = 1.0 if closing else random.uniform(1, 5)


class NoRoomForUpload(StoreUnavailable):
    """The temporary directory of the server has no room for an uploaded file."""


class NotYet(Exception):
    """The requested item did not exist yet at the requested event."""


NOT_LOGGED_IN = {
    None: "log in, or send a token: Authorization: Bearer …",
    "session": "you are logged out; log in again",
    "token": "this token is unknown, expired or revoked",
}
ACTION_OF_SCOPE: dict[Scope, str] = {
    "read": "read",
    "emit": "emit events",
    "respond": "answer and stop runs",
    "admin": "manage",
}
"""The action that each scope allows, for messages."""
