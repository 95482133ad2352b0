"""The page of an error: what happened, what its reader can do, and whether the page loads again by itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, NamedTuple

from signalbox.webapp.http.failed_form import FailedForm
from signalbox.webapp.views.text import plural


class Words(NamedTuple):
    """The title of an error page, and what its reader can do."""

    title: str
    advice: str


WORDS: dict[int | str, Words] = {
    "unknown_task": Words("Task not found", "It was deleted, or the address is mistyped."),
    "task_replaced": Words(
        "This task was replaced", "The address is that of an earlier task with this id, which was deleted."
    ),
    "not_yet": Words("This did not exist yet", "Go back and select a later event."),
    "cross_site": Words("The request came from another site", "Open the page on this server and try again."),
    "store_damaged": Words("Part of the database is damaged", "Everything else still works."),
    "cold_file_damaged": Words("The file of this task cannot be read", "Everything else still works."),
    "partly_done": Words("Only partly done", "Go back and try again: this continues with the remaining tasks."),
    "too_many_streams": Words("Too many streams are open", "Close other Signalbox pages and try again later."),
    "agent_unavailable": Words("The agent does not answer", "Go back and try again later."),
    400: Words("Invalid request", "Correct the address or the form, or start again from the list of tasks."),
    401: Words("You are not logged in", "Log in and try again."),
    403: Words("You are not allowed to do this", "Ask an owner of the project or an administrator for this right."),
    404: Words("Not found", "It was deleted, or the address is mistyped."),
    405: Words("This does not work here", "Go back and use the links and buttons of the page."),
    408: Words("The request timed out", "Go back and try again."),
    409: Words("This is not possible now", "Go back and check the current state."),
    413: Words("The request is too large", "Go back and send less."),
    415: Words("The server cannot read this", "Go back and use the form of the page."),
    421: Words(
        "Wrong host name",
        "Use the address that the server was started with, or add this name to the setting allowed_hosts.",
    ),
    429: Words("Too many attempts", "Go back and try again later."),
    500: Words(
        "Something went wrong",
        "Try again. If it happens again, tell the person who runs this server.",
    ),
    503: Words("The server cannot answer right now", "Go back and try again."),
}
"""The words for an error, by its code or else by its status."""

RELOADING = "This page reloads automatically as soon as the server answers."
SIGNALS = {429: "caution", 503: "caution", 500: "danger"}
"""The colour of the signal for each status; other statuses have no colour."""

MIN_REFRESH = 5
"""Minimum seconds between two reloads of a page without JavaScript."""


def error_values(
    status: int,
    code: str,
    message: str,
    *,
    field: str | None = None,
    wait: int | None = None,
    reloads: bool = False,
    successor: str | None = None,
    form: FailedForm | None = None,
    login: str | None = None,
) -> dict[str, Any]:
    """Return the values of the error page's template.

    `field` is the parameter or form field that is wrong, if the error is about one. `wait` is the number of seconds
    until a retry can help, if it is known. With `reloads` the page retries by itself. `successor` is the task that now
    has the id of a deleted one. `form` is the form that was not accepted, if the request sent one, and `login` the
    address of the log-in page, if that helps.
    """
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = code.replace("_", " ").capitalize()
    words = WORDS.get(code) or WORDS.get(status) or Words(phrase, "Go back, or start again from the list of tasks.")
    advice = RELOADING if reloads else words.advice
    if wait is not None and not reloads:
        advice = advice.replace("later", f"in {_duration(wait)}")
    return {
        "status": status,
        "phrase": phrase,
        "title": words.title,
        "message": message if message.endswith((".", "?", "!", "…")) else f"{message}.",
        "starts_with_name": _starts_with_name(message, field),
        "advice": advice,
        "successor": successor,
        "form": form,
        "login": login,
        "signal": SIGNALS.get(status, "quiet"),
        "reload_after": max(wait or 0, 1) if reloads else None,
        "refresh_after": max(wait or 0, MIN_REFRESH),
    }


def _starts_with_name(message: str, field: str | None) -> bool:
    """Return whether the first word is a name, such as that of a field or an account, which gets no capital letter."""
    first = message.partition(" ")[0]
    return first == field or not first.isalpha()


def _duration(seconds: int) -> str:
    """Return seconds or minutes in words."""
    return plural(seconds, "second") if seconds < 120 else plural(round(seconds / 60), "minute")
