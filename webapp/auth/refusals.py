"""Why somebody is refused, as types. Each is answered in the form that the caller reads: see `webapp/errors.py`."""

from __future__ import annotations

from store.people import Scope
from webapp.auth.directory import Credential


class NotLoggedIn(Exception):
    """Nobody knows who asks; `shown` is the token or session that counts for nothing (any more)."""

    def __init__(self, shown: Credential | None) -> None:
        super().__init__(NOT_LOGGED_IN[shown.kind if shown else None])


class Forbidden(Exception):
    """Somebody known may not do this, in this project or (None) at all."""

    def __init__(self, who: str, scope: Scope, project_id: str | None) -> None:
        where = "" if project_id is None else f" in the project {project_id!r}"
        super().__init__(f"{who} does not have the right to {DOES[scope]}{where}")


class UnknownProject(Exception):
    """There is no project of that name."""

    def __init__(self, project_id: str) -> None:
        super().__init__(f"there is no project {project_id!r}")


class TooManyLogins(Exception):
    """Log-ins were tried too often; `retry_after` in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("too many log-ins were tried; wait a little")
        self.retry_after = retry_after


class LoginsBusy(Exception):
    """Too many passwords wait to be checked; this one was not counted."""

    retry_after = 3.0

    def __init__(self) -> None:
        super().__init__("too many people are logging in at once; try again in a few seconds")


NOT_LOGGED_IN = {
    None: "log in, or send a token: Authorization: Bearer …",
    "session": "you are logged out; log in again",
    "token": "this token is unknown, expired or revoked",
}
DOES: dict[Scope, str] = {"read": "read", "emit": "emit events", "respond": "answer and stop runs", "admin": "manage"}
"""What a scope lets somebody do."""
