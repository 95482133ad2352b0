"""The status and code of each exception: one table for the server and for the OpenAPI document.

`webapp/http/errors.py` turns a raised exception into a response by this table. A route of the API declares the
exceptions that it raises, and the document lists their statuses and codes.
"""

from __future__ import annotations

from dataclasses import dataclass

from werkzeug.exceptions import MethodNotAllowed, RequestEntityTooLarge, RequestTimeout

from signalbox.store import (
    Conflict,
    InvalidEvent,
    StoreDamaged,
    StoreMoved,
    StoreUnavailable,
    TaskReplaced,
    UnknownTask,
)
from signalbox.store.errors import ColdFileDamaged, NotFound, TooLarge
from signalbox.webapp.agents.errors import AgentUnavailable
from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.encodings import UnsupportedEncoding
from signalbox.webapp.http.refusals import (
    CrossSite,
    ExtraMissing,
    Forbidden,
    LoginsBusy,
    NoOpenRequest,
    NotLoggedIn,
    NotOtlp,
    NotYet,
    QuotaExceeded,
    TooManyLogins,
    TooManyStreams,
    UnknownAgent,
    UnknownPermission,
    UnknownProject,
    UnsupportedMediaType,
    WrongCredentials,
    WrongHost,
)


@dataclass(frozen=True)
class Refusal:
    """The status and the code of an error response, and the meaning of the code."""

    status: int
    code: str
    meaning: str


REFUSALS: dict[type[Exception], Refusal] = {
    BadRequest: Refusal(400, "bad_request", "A parameter or the body is wrong; `field` names it."),
    InvalidEvent: Refusal(400, "bad_request", "A value breaks a rule; `field` names it."),
    TooLarge: Refusal(413, "too_large", "The file is larger than an artifact may be."),
    NotLoggedIn: Refusal(401, "not_logged_in", "Log in, or send a token."),
    WrongCredentials: Refusal(401, "wrong_credentials", "Wrong e-mail or password."),
    Forbidden: Refusal(403, "forbidden", "The caller does not have the right to do this here."),
    CrossSite: Refusal(403, "cross_site", "The request comes from a page of another site."),
    UnknownTask: Refusal(404, "unknown_task", "No task has this id."),
    TaskReplaced: Refusal(410, "task_replaced", "The task was deleted, and another task has its id now."),
    UnknownProject: Refusal(404, "unknown_project", "No project has this id."),
    UnknownAgent: Refusal(404, "unknown_agent", "Signalbox does not know this coding agent."),
    UnknownPermission: Refusal(404, "unknown_permission", "The run has made no such permission request."),
    NotYet: Refusal(404, "not_yet", "The item did not exist yet at the given event."),
    NotFound: Refusal(404, "not_found", "There is nothing at this address."),
    MethodNotAllowed: Refusal(405, "method_not_allowed", "The address does not take this method; see `Allow`."),
    RequestTimeout: Refusal(408, "timeout", "The body did not arrive in time."),
    Conflict: Refusal(409, "conflict", "The state of the task does not allow this."),
    NoOpenRequest: Refusal(409, "no_open_request", "No such permission request is open."),
    RequestEntityTooLarge: Refusal(413, "too_large", "The body or the number of fields is over the limit."),
    UnsupportedEncoding: Refusal(415, "unsupported_media_type", "The server cannot read this `Content-Encoding`."),
    UnsupportedMediaType: Refusal(415, "unsupported_media_type", "The body must be JSON; see `Content-Type`."),
    NotOtlp: Refusal(415, "unsupported_media_type", "The body must be protobuf or JSON; see `Content-Type`."),
    WrongHost: Refusal(421, "wrong_host", "The server does not answer under this host name."),
    QuotaExceeded: Refusal(429, "quota_exceeded", "The token has used up its quota of this minute; see `Retry-After`."),
    TooManyLogins: Refusal(429, "too_many_logins", "Too many attempts to log in; see `Retry-After`."),
    ExtraMissing: Refusal(501, "extra_missing", "An optional library is not installed; the message names it."),
    StoreDamaged: Refusal(
        500, "store_damaged", "The data is in a damaged part of the database; a retry does not help."
    ),
    ColdFileDamaged: Refusal(
        503, "cold_file_damaged", "The file of this task in cold storage is missing or damaged; other tasks work."
    ),
    StoreUnavailable: Refusal(503, "unavailable", "The database did not answer; see `Retry-After`."),
    StoreMoved: Refusal(503, "store_moved", "The store was moved to another database; the server must be restarted."),
    LoginsBusy: Refusal(503, "logins_busy", "Too many log-ins wait for their password check; see `Retry-After`."),
    AgentUnavailable: Refusal(503, "agent_unavailable", "The agent of the project does not answer."),
    TooManyStreams: Refusal(
        503, "too_many_streams", "The server's limit of open streams is reached; see `Retry-After`."
    ),
}
"""The response to each exception. An exception without an entry uses the entry of its nearest base class."""

CALLER_STREAMS = Refusal(429, "too_many_streams", "The caller's limit of open streams is reached; see `Retry-After`.")


def refusals_of(kind: type[Exception]) -> list[Refusal]:
    """Return the responses that an exception of this class may cause."""
    found = next(REFUSALS[base] for base in kind.__mro__ if base in REFUSALS)
    return [CALLER_STREAMS, found] if kind is TooManyStreams else [found]


def refusal_of(error: Exception) -> Refusal:
    """Return the response to this exception."""
    first, *rest = refusals_of(type(error))
    return rest[0] if isinstance(error, TooManyStreams) and error.limit is None else first
