"""What is said of a request that cannot be used."""

from __future__ import annotations


class BadRequest(Exception):
    """A parameter or a body that cannot be used; `field` names what was wrong."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
