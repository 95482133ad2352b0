"""The answer of a language model, as fields of the event that ends the call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class UsageFields(TypedDict, total=False):
    """Numbers of tokens. `input_tokens` includes those of the cache, and `output_tokens` those of reasoning."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int


def answer_fields(
    content: Any,
    tool_calls: Sequence[Mapping[str, Any]],
    usage: UsageFields | None,
    cost_usd: float | None,
    stop_reason: str | None,
) -> dict[str, Any]:
    """Return the fields of an answer, without those that are not given."""
    message = {"role": "assistant", "content": content, **({"tool_calls": list(tool_calls)} if tool_calls else {})}
    given = {"message": message, "usage": usage, "cost_usd": cost_usd, "stop_reason": stop_reason}
    return {name: value for name, value in given.items() if value is not None}
