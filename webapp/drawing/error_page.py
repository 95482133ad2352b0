"""The page of an error: what happened, and what its reader can do now."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

ADVICE: dict[int | str, str] = {
    "task_replaced": "The address is that of the earlier task. What it showed is gone.",
    "not_yet": "Go back, and choose that event or a later one.",
    400: "Check the address, or start again from the list.",
    401: "Log in, then do it again.",
    403: "Ask an owner of the project, or do it from a page of this server.",
    404: "It may have been deleted, or the address is wrong.",
    405: "Go back and use the page's own links and buttons.",
    413: "Send less at once: several events can go in several requests.",
    421: "Open it under the name that the server was started with, or add this name to the setting allowed_hosts.",
    429: "Wait a moment, then try again.",
    500: "Try again. If it stays so, the server's log says more.",
    503: "Nothing is lost. Wait a moment, then load this page again.",
}
"""What the reader can do about an error, by its code or its status."""

TITLES = {"task_replaced": "This task was replaced"}
"""Headings of errors whose status says too little."""


def error_values(status: int, code: str, message: str, successor: str | None = None) -> dict[str, Any]:
    """Return the values of the error page's template. `successor` is the task that has the id of a deleted one."""
    try:
        what = TITLES.get(code) or HTTPStatus(status).phrase
    except ValueError:
        what = code.replace("_", " ").capitalize()
    advice = ADVICE.get(code) or ADVICE.get(status, "Go back, or start again from the list.")
    return {"status": status, "what": what, "message": message, "advice": advice, "successor": successor}
