"""The guard before every route: it identifies the caller and checks their rights."""

from __future__ import annotations

from typing import Literal, cast

from quart import Quart, Response, current_app, g, has_websocket_context, request, websocket
from quart.wrappers.base import BaseRequestWebsocket

from signalbox.store import StoreMoved, StoreUnavailable, TaskReplaced, UnknownTask
from signalbox.store.identity import check_identity
from signalbox.store.people import DEFAULT_PROJECT, Scope, digest_of
from signalbox.store.reserved import is_reserved_kind
from signalbox.webapp.auth.access import Access, access_of
from signalbox.webapp.auth.cookie import session_of
from signalbox.webapp.auth.directory import Credential, Directory
from signalbox.webapp.auth.principal import LOCAL, Principal, ProjectIds
from signalbox.webapp.auth.secrets import SESSION_PREFIX
from signalbox.webapp.auth.ticket import Ticket
from signalbox.webapp.http.errors import message_for_clients, refused
from signalbox.webapp.http.refusals import Forbidden, NotLoggedIn, UnknownProject

CLOSE_CODES: dict[type[Exception], int] = {
    NotLoggedIn: 4401,
    Forbidden: 4403,
    UnknownTask: 4404,
    TaskReplaced: 4410,
    StoreUnavailable: 1013,
    StoreMoved: 1013,
}
"""Close codes for refused WebSockets (RFC 6455, section 7.4, and its range for private use)."""


def install(app: Quart) -> None:
    """Check every request and every WebSocket. All routes must declare their rights: see `check_declared`."""

    @app.before_request
    async def check_request() -> None:
        current = request._get_current_object()  # type: ignore[attr-defined]
        if current.url_rule is not None:
            access = _declared(current.url_rule.endpoint)
            own_limit = getattr(current_app.extensions["settings"], access.body) if access.body else None
            current.set_limits(public=access.scope is None, own_limit=own_limit)
            await _check(current, access)
            current.bounded_body.check()
            if access.scope is not None and current.has_body:
                current.on_body_received = check_again

    @app.before_websocket
    async def check_websocket() -> Response | None:
        if websocket.url_rule is None:
            return None
        try:
            await _check(websocket, _declared(websocket.url_rule.endpoint))
        except tuple(CLOSE_CODES) as error:
            # Accept and close with the reason: a browser does not show the response to a refused handshake.
            await websocket.accept()
            await websocket.close(close_code(error), message_for_clients(error)[:120])
            return Response("", 403)
        return None

    @app.after_request
    async def check_identity_again(response: Response) -> Response:
        # The task may have been deleted, and its id used again in another project, before the route read it.
        if task_identity() is None or not _depends_on_task(response.status_code):
            return response
        try:
            check_task(g.task_id, (await directory().task_summary(g.task_id, fresh=True)).identity)
        except UnknownTask as error:
            return refused(error)
        except (StoreUnavailable, StoreMoved):
            return refused(UnknownTask(g.task_id))
        return response

    @app.after_request
    async def forbid_caching(response: Response) -> Response:
        # Browsers must not store pages of identified callers: the Back button would show them after a log-out.
        identified = g.get("principal", LOCAL) is not LOCAL
        cached = response.headers.get("Cache-Control", "no-cache")
        if (
            identified
            and "no-store" not in cached
            and "immutable" not in cached
            and response.mimetype != "text/event-stream"
        ):
            response.headers["Cache-Control"] = "private, no-store"
        return response


def directory() -> Directory:
    """Return the directory of this process."""
    return cast(Directory, current_app.extensions["directory"])


async def principal() -> Principal:
    """Return the caller of this request."""
    if "principal" not in g:
        g.credential = credential_of(_connection(), None)
        g.principal = await directory().principal(g.credential)
    return cast(Principal, g.principal)


async def session_digest() -> str | None:
    """Return the digest of the caller's session, from the cookie or a bearer token; None for other callers."""
    return cast(Credential, g.credential).digest if (await principal()).is_person else None


def visible_projects() -> ProjectIds:
    """Return the projects whose tasks the caller may see. Only for routes with `@needs`."""
    return cast(Principal, g.principal).projects("read")


def answerable_projects() -> ProjectIds:
    """Return the projects whose runs the caller may answer and cancel."""
    return cast(Principal, g.principal).projects("respond")


def task_identity() -> str | None:
    """Return the identity that the task must have: named by the request, else that of the checked task.

    Return None if the request names none and its caller has the right in all projects.
    """
    place = g.get("place")
    return cast(str, place.identity) if place else cast(str | None, g.get("identity"))


def check_task(task_id: str, found: str) -> None:
    """Raise UnknownTask if the task with the identity `found` is not the one that the request is for.

    Raises TaskReplaced if the caller may learn that another task has the id.
    """
    place = g.get("place")
    if place is not None and place.identity != found:
        # The rights were checked for the earlier task. The caller may have none in the project of this one.
        raise UnknownTask(task_id)
    check_identity(task_id, g.get("identity"), found)


async def may_answer_task(task_id: str) -> bool:
    """Return whether the caller may answer and cancel a run. Raises UnknownTask."""
    return answerable_projects() is None or may_answer(await directory().project_of(task_id))


def close_code(error: Exception) -> int:
    """Return the code of an error, or that of the class it is derived from: StoreLost is a StoreUnavailable."""
    return next(CLOSE_CODES[kind] for kind in type(error).__mro__ if kind in CLOSE_CODES)


def may_answer(project_id: str) -> bool:
    """Return whether the caller may answer and cancel the runs of a project."""
    return cast(Principal, g.principal).may("respond", project_id)


def ticket() -> Ticket:
    """Return the ticket for a stream of this request."""
    return Ticket(g.principal, g.credential, g.get("project_id"))


def creates_task() -> bool:
    """Return whether the task of this request does not exist yet, so that the request creates it."""
    return "creates_task" in g


async def require(scope: Scope, task_id: str) -> None:
    """Check the right for a task that is not in the path. Raises UnknownTask or Forbidden."""
    caller = await principal()
    if caller.projects(scope) is not None:
        _allow(caller, scope, (await directory().task_summary(task_id, fresh=True)).project_id)


async def may_write_to(task_id: str) -> None:
    """Raise Forbidden if the server started the task and the caller may not start and cancel runs there."""
    caller = await principal()
    if caller.projects("respond") is None:
        return
    try:
        place = g.get("place") or await directory().task_summary(task_id)
    except UnknownTask:
        return  # The append creates the task, or fails.
    if is_reserved_kind(place.kind):
        _allow(caller, "respond", place.project_id)


async def check_again() -> None:
    """Check the rights again after a body was received, which may take long. Raises the errors of the first check."""
    if request.url_rule is not None and "principal" in g:
        before = g.pop("place", None)
        access = _declared(request.url_rule.endpoint)
        assert access.scope is not None
        await _check_rights(request, access, access.scope, g.credential)
        place = g.get("place")
        if before is not None and (place is None or place.identity != before.identity):
            raise UnknownTask(g.task_id)


async def project_for_new(project_id: str | None) -> str | None:
    """Return the project of a new task: the requested one, else that of the token, else None for the default project.

    Raises Forbidden or UnknownProject.
    """
    caller = await principal()
    chosen = project_id or caller.default_project
    _allow(caller, "emit", chosen or DEFAULT_PROJECT)
    if project_id is not None and await directory().unknown_project(project_id):
        raise UnknownProject(project_id)
    return chosen


def credential_of(connection: BaseRequestWebsocket, access: Access | None) -> Credential | None:
    """Return the credential of a request: a bearer token, a token in the address if allowed, or a session."""
    scheme, _, secret = connection.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _bearer(secret.strip())
    if access and access.query_token and connection.method == "GET" and "token" in connection.args:
        return _bearer(connection.args["token"])
    session = session_of(connection)
    return Credential("session", digest_of(session)) if session else None


def _bearer(secret: str) -> Credential:
    kind: Literal["token", "session"] = "session" if secret.startswith(SESSION_PREFIX) else "token"
    return Credential(kind, digest_of(secret.removeprefix(SESSION_PREFIX)))


def _depends_on_task(status: int) -> bool:
    """Return whether the response to this request would be wrong if another task got the id meanwhile.

    A successful write is not affected, because it has compared the identity in its transaction.
    """
    return status in (404, 409) or (status < 400 and request.method in ("GET", "HEAD"))


def _declared(endpoint: str) -> Access:
    access = access_of(current_app, endpoint)
    assert access is not None
    return access


def _connection() -> BaseRequestWebsocket:
    return websocket if has_websocket_context() else request


async def _check(connection: BaseRequestWebsocket, access: Access) -> None:
    if access.scope is not None:
        await _check_rights(connection, access, access.scope, credential_of(connection, access))


async def _check_rights(
    connection: BaseRequestWebsocket, access: Access, scope: Scope, credential: Credential | None
) -> None:
    caller = await directory().principal(credential)
    g.credential, g.principal = credential, caller
    if not caller.known:
        raise NotLoggedIn(credential.kind if credential else None)
    parts = connection.view_args or {}
    if task_id := parts.get(access.task):
        g.task_id, g.identity = task_id, connection.args.get("identity") or None
    if caller.projects(scope) is None:
        return
    if scope not in caller.grants or access.everywhere:
        raise Forbidden(caller.name, scope, None)
    if parts.get(access.task):
        g.project_id = await _project(caller, scope, parts[access.task], may_create=access.may_create)
    elif "project_id" in parts:
        g.project_id = parts["project_id"]
        if await directory().unknown_project(g.project_id):
            raise UnknownProject(g.project_id)
    else:
        return
    _allow(caller, scope, g.project_id)


async def _project(caller: Principal, scope: Scope, task_id: str, *, may_create: bool) -> str:
    g.pop("creates_task", None)
    try:
        place = await directory().task_summary(task_id, fresh=True)
        if g.identity not in (None, place.identity):
            raise (TaskReplaced if caller.may(scope, place.project_id) else UnknownTask)(task_id)
        g.place = place
        return place.project_id
    except UnknownTask:
        if not may_create or g.identity is not None:
            raise
        g.creates_task = True
        return caller.default_project or DEFAULT_PROJECT


def _allow(caller: Principal, scope: Scope, project_id: str) -> None:
    if not caller.may(scope, project_id):
        raise Forbidden(caller.name, scope, project_id)
