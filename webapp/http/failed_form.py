"""The form of a request that failed, so that its error page says what was not done and keeps what was typed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from quart import has_websocket_context, request

from signalbox.webapp.http.body_limits import BoundedRequest, LimitedFormParser
from signalbox.webapp.http.return_path import is_navigation, referring_path
from signalbox.webapp.http.root_path import at_root, here

RECEIVE_TIMEOUT_S = 2.0
"""Seconds to wait for the rest of a form whose request already failed."""

SECRETS = frozenset(("password", "old", "new", "repeated", "secret"))
"""Fields that an error page never repeats."""

CHOICES = frozenset(
    (
        "identity",
        "form",
        "filters",
        "next",
        "back",
        "task",
        "decision",
        "always",
        "tool_name",
        "do",
        "days",
        "scope",
        "project_id",
        "role",
    )
)
"""Fields that are choices of the page. A retry repeats them; all other fields are typed by a person, and are shown."""

RETRYABLE = frozenset(("bad_request", "not_logged_in", "timeout", "unavailable", "logins_busy", "agent_unavailable"))
"""The errors after which sending the form again can succeed."""

NOT_DONE = {
    "permissions.answer": "Your answer was not recorded.",
    "permissions.revoke": "The tool is still always allowed in this run.",
    "control.message": "The message was not sent.",
    "control.cancel": "The run was not asked to stop.",
    "control.retry": "The command was not run again.",
    "views.create": "The view was not saved.",
    "views.delete": "The view was not deleted.",
    "account.password": "The password was not changed.",
    "account.create_token": "The token was not created.",
    "account.revoke_token": "The token was not revoked.",
}
"""What did not happen, by the endpoint of the form."""


@dataclass(frozen=True, kw_only=True)
class FailedForm:
    """A form that was not accepted. `fields` are what a person typed, as (name, label, text).

    `action` is the address to send it to again, with the `hidden` fields; None if that cannot succeed.
    """

    not_done: str
    action: str | None = None
    fields: list[tuple[str, str, str]] = field(default_factory=list)
    hidden: list[tuple[str, str]] = field(default_factory=list)


async def receive_form() -> None:
    """Receive the form of a failed request, if a browser sent one and it arrives soon. Never raises."""
    if has_websocket_context() or request.method != "POST" or not is_navigation():
        return
    if request.mimetype in LimitedFormParser.parse_functions:
        with suppress(Exception):
            await asyncio.wait_for(cast(BoundedRequest, request).receive_form(), RECEIVE_TIMEOUT_S)


def failed_form(code: str, *, uncertain: bool = False) -> FailedForm | None:
    """Return the received form of the present request, which failed with this error code; None if it is not a POST.

    If it is `uncertain` whether the action succeeded, the form says nothing about that and offers no retry.
    """
    if has_websocket_context() or request.method != "POST":
        return None
    endpoint = request.url_rule.endpoint if request.url_rule else ""
    uncertain = uncertain or code == "partly_done"
    not_done = "" if uncertain else NOT_DONE.get(endpoint, "Nothing was changed.")
    form = cast(BoundedRequest, request).received_form
    if form is None or code == "cross_site":
        return FailedForm(not_done=not_done)
    sent = [(name, text) for name, text in form.items(multi=True) if text and name not in SECRETS]
    typed = [(name, name.replace("_", " ").capitalize(), text) for name, text in sent if name not in CHOICES]
    if uncertain or code not in RETRYABLE or SECRETS & form.keys():
        return FailedForm(not_done=not_done, fields=typed)
    action = f"{here()}?{request.query_string.decode()}"
    hidden = [(name, text) for name, text in sent if name in CHOICES and name != "back"]
    return FailedForm(
        not_done=not_done, action=action, fields=typed, hidden=[*hidden, ("back", referring_path(at_root("/tasks")))]
    )
