"""Error responses: JSON for programs, a page for people, never a stack trace."""

from __future__ import annotations

import math
from typing import Any

import structlog
from quart import Quart, Response, g, has_request_context, has_websocket_context, redirect, request, websocket
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.routing import WebsocketMismatch
from werkzeug.wrappers import Response as Redirect

from signalbox.store import StoreDamaged, StoreError, StoreMoved, StoreUnavailable, TaskReplaced
from signalbox.store.cold.errors import ColdFileMissing, ColdFileUnreadable, ColdPlaceUnavailable
from signalbox.store.errors import ColdFileDamaged, OutcomeUnknown, StoreFull, StoreLost
from signalbox.webapp.http.encodings import ACCEPTED, UnsupportedEncoding
from signalbox.webapp.http.failed_form import failed_form, receive_form
from signalbox.webapp.http.json import json_response
from signalbox.webapp.http.otlp_status import PREFIX as OTLP_PREFIX
from signalbox.webapp.http.otlp_status import is_otlp, status_response
from signalbox.webapp.http.refusal_table import REFUSALS, refusal_of
from signalbox.webapp.http.refusals import NoRoomForUpload, NotLoggedIn
from signalbox.webapp.http.return_path import is_navigation, login_path
from signalbox.webapp.http.security import PROBES, SAFE_METHODS

log = structlog.get_logger("signalbox.errors")

MOVED_MESSAGE = (
    "the data of this console was moved to another database; nothing was lost, and the console continues when its"
    " server is restarted with the new address of the data"
)
RETRY_AFTER_MOVE = 5
"""Seconds in the `Retry-After` of a server whose store was moved."""

CODES = {
    400: "bad_request",
    401: "not_logged_in",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    409: "conflict",
    410: "gone",
    413: "too_large",
    415: "unsupported_media_type",
    421: "wrong_host",
    429: "too_many_requests",
    503: "unavailable",
}


RETRY_AFTER_COLD_FILE = 60
"""Seconds after which a client may look whether an operator has put the file back."""


def error_response(
    status: int,
    message: str,
    *,
    field: str | None = None,
    code: str | None = None,
    retry_after: float | None = None,
    successor: str | None = None,
    uncertain: bool = False,
) -> Response:
    """Return an error as JSON or as a page, whichever the caller accepts. The page links to the task `successor`.

    The page of a failed form says what was not done, unless that is `uncertain`, and shows what was typed.
    """
    code = code or CODES.get(status, "error")
    wait = None if retry_after is None else max(1, math.ceil(retry_after))
    if has_websocket_context():
        return Response(f"{message}\n", status, content_type="text/plain; charset=utf-8")
    if is_otlp(request.path):
        response = status_response(status, message, request.mimetype)
    elif wants_json():
        error: dict[str, Any] = {"code": code, "message": message}
        if field:
            error["field"] = field
        response = json_response({"error": error}, status)
    else:
        from quart import current_app

        fragments, reloads = current_app.extensions["fragments"], status == 503 and request.method in SAFE_METHODS
        page = fragments.error_page(
            status,
            code,
            message,
            field=field,
            wait=wait,
            reloads=reloads,
            successor=successor,
            form=failed_form(code, uncertain=uncertain),
            login=login_path() if status == 401 else None,
        )
        response = Response(page, status)
        response.content_type = "text/html; charset=utf-8"
    if wait is not None:
        response.headers["Retry-After"] = str(wait)
    return response


def refused(error: Exception) -> Response:
    """Return the response to an exception of the table `REFUSALS`."""
    found = refusal_of(error)
    field, retry_after = getattr(error, "field", None), getattr(error, "retry_after", None)
    successor = error.task_id if isinstance(error, TaskReplaced) else None
    return error_response(
        found.status, str(error), field=field, code=found.code, retry_after=retry_after, successor=successor
    )


def wants_json() -> bool:
    """Whether errors are JSON: for API and stream routes, streams of pages, and clients that do not accept HTML."""
    if "text/event-stream" in request.headers.get("Accept", ""):
        return True
    if is_programs(request.path):
        return True
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"


def is_programs(path: str) -> bool:
    """Return whether only programs use this path, so that its errors are always JSON."""
    return path.startswith(("/api/", "/sse/", "/metrics", "/ws/", "/mcp", OTLP_PREFIX, *PROBES))


def too_large(asked: Any, error: HTTPException) -> str:
    """Return the message for a body over its route's limit, or for a form with too many fields."""
    if error.description != RequestEntityTooLarge.description:
        return str(error.description)
    size = f"the body of {asked.content_length} bytes" if asked.content_length else "the body"
    return f"{size} is over the limit of {asked.bounded_body.max_bytes} bytes"


def reason_of(error: StoreUnavailable) -> str:
    """Return why the store does not answer, without file names."""
    if isinstance(error, OutcomeUnknown):
        return "the database did not answer in time; the action may have succeeded, so check before you repeat it"
    if isinstance(error, StoreFull):
        return "there is no space left on the disk of the database"
    if isinstance(error, NoRoomForUpload):
        return "this server has no room to receive the file now"
    if isinstance(error, StoreLost):
        return "the database file was deleted or moved away, or another file is in its place"
    if isinstance(error, ColdPlaceUnavailable):
        return "this needs a file of cold storage, whose directory or bucket cannot be used now"
    if isinstance(error, ColdFileUnreadable):
        return "the task is in cold storage, and this server has no room to read its file now"
    return "the database did not answer"


def message_for_clients(error: Exception) -> str:
    """Return the message of an error without file names and addresses of databases."""
    if isinstance(error, StoreMoved):
        return MOVED_MESSAGE
    return reason_of(error) if isinstance(error, StoreUnavailable) else str(error)


def install(app: Quart) -> None:
    """Register the handlers that turn exceptions into responses."""

    async def refuse(error: Exception) -> Response:
        await receive_form()
        return refused(error)

    for kind in REFUSALS:
        if not issubclass(kind, HTTPException):
            app.register_error_handler(kind, refuse)

    @app.errorhandler(StoreDamaged)
    async def damaged(error: StoreDamaged) -> Response:
        log.error("the store is damaged", path=request.path, error=str(error))
        message = (
            "the data is in a damaged part of the database; a retry does not help: run `signalbox doctor` for advice"
        )
        return error_response(500, message, code="store_damaged")

    @app.errorhandler(ColdFileDamaged)
    async def cold_file_damaged(error: ColdFileDamaged) -> Response:
        log.error("a cold file cannot be used", path=request.path, error=str(error))
        await receive_form()
        message = f"the task is in cold storage, and {error.for_clients}"
        return error_response(503, message, code="cold_file_damaged", retry_after=RETRY_AFTER_COLD_FILE)

    @app.errorhandler(ColdFileMissing)
    async def cold_file_missing(error: ColdFileMissing) -> Any:
        # If another process has brought the task back since this request began to read, its log is in the database.
        if not has_request_context() or request.method not in SAFE_METHODS or g.get("read_again"):
            return await cold_file_damaged(error)
        g.read_again = True
        try:
            return await app.dispatch_request()
        except Exception as second:
            return await app.handle_user_exception(second)

    @app.errorhandler(StoreUnavailable)
    async def unavailable(error: StoreUnavailable) -> Response:
        log.warning("the store does not answer", error=str(error))
        await receive_form()
        uncertain = isinstance(error, OutcomeUnknown)
        return error_response(503, reason_of(error), retry_after=error.retry_after, uncertain=uncertain)

    @app.errorhandler(StoreMoved)
    async def moved(error: StoreMoved) -> Response:
        log.warning("the store was moved", error=str(error))
        await receive_form()
        return error_response(503, MOVED_MESSAGE, code="store_moved", retry_after=RETRY_AFTER_MOVE)

    @app.errorhandler(NotLoggedIn)
    async def logged_out(error: NotLoggedIn) -> Response | Redirect:
        await receive_form()
        typed = failed_form("not_logged_in")
        if is_navigation() and not wants_json() and not (typed and typed.fields):
            return redirect(login_path(), 303)
        response = refused(error)
        response.headers["WWW-Authenticate"] = 'Bearer realm="Signalbox"'
        return response

    @app.errorhandler(HTTPException)
    async def http(error: HTTPException) -> Response:
        await receive_form()
        if isinstance(error, WebsocketMismatch) and not has_websocket_context():
            response = error_response(426, f"{request.root_path}{request.path} is a WebSocket", code="upgrade_required")
            response.headers["Upgrade"], response.headers["Connection"] = "websocket", "Upgrade"
            return response
        status = error.code or 500
        if status < 400:
            redirect = error.get_response()
            return Response(redirect.get_data(), status, headers=dict(redirect.headers))
        asked = websocket if has_websocket_context() else request
        messages = {
            404: f"there is nothing at {asked.root_path}{asked.path}",
            405: f"{asked.method} is not allowed at {asked.root_path}{asked.path}",
            408: "the body of the request did not arrive in time",
        }
        if status == 413:
            messages[413] = too_large(asked, error)
        response = error_response(status, messages.get(status, error.description or "the request cannot be answered"))
        allowed = getattr(error, "valid_methods", None)
        if allowed:
            response.headers["Allow"] = ", ".join(sorted(allowed))
        if isinstance(error, UnsupportedEncoding):
            response.headers["Accept-Encoding"] = ACCEPTED
        return response

    @app.errorhandler(Exception)
    async def unexpected(error: Exception) -> Response:
        if isinstance(error, StoreError):
            return error_response(500, str(error), code="store_error")
        asked = websocket if has_websocket_context() else request
        log.error("unexpected error", path=asked.path, exc_info=error)
        message = "an unexpected error occurred in the server; see its log"
        return error_response(500, message, code="internal", uncertain=True)
