"""The error for an invalid request."""

from __future__ import annotations


class BadRequest(Exception):
    """A parameter or the body of a request is invalid. `field` names the wrong parameter or field."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
