"""Permission requests with their answers and choices, and the tools that are always allowed."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Allowance(msgspec.Struct, kw_only=True):
    """A person's answer "always allow this tool in this run": the answer with this seq approves later requests too."""

    tool_name: str
    by: str
    at: str
    seq: int


class Choice(msgspec.Struct, frozen=True):
    """One of the values that a permission request offers, and its name."""

    value: Any
    label: str


class Permission(msgspec.Struct, kw_only=True):
    """A permission request of the run to a person. `by` and `answer_reason` are set when it is closed.

    `choices`, `response_schema` (a JSON Schema) and `editable` (all arguments, or these keys) say which value an
    approval has: see `answers.Expectation`. `value` is that of the answer. With `always`, the answer also approves
    later requests of the tool in the run; `remembered_seq` is the seq of the earlier answer that approved this request.
    `claimed` is true if `by` is only claimed by the log and is not a person of this server. `cause` is the reason why a
    request was cleared. The store itself sets `interrupted` and `task_ended`.
    """

    request_id: str
    tool_name: str
    arguments: Any = None
    reason: str | None = None
    expires_at: str | None = None
    phase: str | None
    span_id: str
    evidence_refs: dict[str, Any] = {}
    choices: list[Choice] | None = None
    response_schema: dict[str, Any] | bool | None = None
    editable: bool | list[str] = False
    state: Literal["open", "approved", "denied", "expired", "cleared"] = "open"
    by: str | None = None
    answer_reason: str | None = None
    value: Any = None
    always: bool = False
    remembered_seq: int | None = None
    cause: str | None = None
    seq: int
    created_at: str
    closed_seq: int | None = None
    closed_at: str | None = None
    changed_seq: int
    claimed: bool = False
