"""The errors of answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from signalbox.store.errors import InvalidEvent

Path = tuple[str | int, ...]
"""The keys and indexes that lead from a value to a part of it."""


MAX_PROBLEMS_IN_MESSAGE = 10
"""Problems that one message contains."""


class InvalidPart(NamedTuple):
    """A part of a value that a request does not accept, and why: `must be at least 1`."""

    path: Path
    message: str


class InvalidAnswer(InvalidEvent):
    """The value of an answer is not what the request asks for. `field` is the first wrong part: `value.branch`."""

    def __init__(self, problems: Sequence[InvalidPart]) -> None:
        said = [f"{field_name(problem.path)} {problem.message}" for problem in problems[:MAX_PROBLEMS_IN_MESSAGE]]
        super().__init__("; ".join(said), field_name(problems[0].path))
        self.problems = list(problems)


class UnusableSchema(InvalidEvent):
    """A JSON Schema is wrong, too large, or uses a part of JSON Schema that requests may not use."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the response_schema cannot be used: {reason}", "response_schema")
        self.reason = reason


def field_name(path: Path) -> str:
    """Return the name of a part of the value: `value`, `value.branch`, `value.tags[0]`."""
    return "value" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
