"""The guard that holds programs to the quotas of their tokens. It acts after the rights of a request were checked."""

from __future__ import annotations

from typing import cast

from quart import Quart, Response, current_app, g, request

from signalbox.store.people import Token
from signalbox.webapp.auth.quotas import Quotas
from signalbox.webapp.http.body_limits import BoundedRequest


def install(app: Quart) -> None:
    """Count the bodies of programs, and refuse those over a quota before a byte of them is read."""

    @app.before_request
    async def admit_body() -> None:
        asked = _asked()
        if asked.has_body and (token := _token_with_quota()):
            quotas().admit(token, asked.content_length or 0)

    @app.after_request
    async def count_body_of_unknown_length(response: Response) -> Response:
        asked = _asked()
        if asked.content_length is None and asked.has_body and (token := _token_with_quota()):
            quotas().count_bytes(token, asked.bounded_body.received)
        return response


def quotas() -> Quotas:
    """Return the quotas of tokens."""
    return cast(Quotas, current_app.extensions["quotas"])


def count_events(number: int) -> None:
    """Count events that the caller sends. Every route that stores events of programs calls this."""
    if token := _token_with_quota():
        quotas().count_events(token, number)


def _asked() -> BoundedRequest:
    return cast(BoundedRequest, request._get_current_object())  # type: ignore[attr-defined]


def _token_with_quota() -> Token | None:
    token: Token | None = g.principal.token if "principal" in g else None
    return token if token is not None and token.has_quota else None
