"""Reading of the usage that a payload reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signalbox.store.model_calls.attributes import attributes_of, first, line
from signalbox.store.model_calls.usage import TokenCounts, Usage

MAX_TOKENS = 10**15

_INPUT = ("input_tokens", "prompt_tokens", "input", "prompt", "promptTokenCount", "inputTokens")
_OUTPUT = ("output_tokens", "completion_tokens", "output", "completion", "candidatesTokenCount", "outputTokens")
_CACHE_READ = (
    "cache_read_input_tokens",
    "cache_read.input_tokens",
    "cache_read_tokens",
    "cache_read",
    "prompt_tokens_details.cached_tokens",
    "input_tokens_details.cached_tokens",
    "input_token_details.cache_read",
    "prompt_details.cache_read",
    "cached_tokens",
    "cachedContentTokenCount",
    "cacheReadInputTokens",
)
_CACHE_WRITE = (
    "cache_creation_input_tokens",
    "cache_creation.input_tokens",
    "cache_write_tokens",
    "cache_write",
    "input_token_details.cache_creation",
    "prompt_details.cache_write",
    "cacheWriteInputTokens",
)
_REASONING = (
    "reasoning.output_tokens",
    "reasoning_tokens",
    "reasoning",
    "completion_tokens_details.reasoning_tokens",
    "output_tokens_details.reasoning_tokens",
    "output_token_details.reasoning",
    "completion_details.reasoning",
    "thoughtsTokenCount",
)
_TOTAL = ("total_tokens", "total", "totalTokenCount", "totalTokens")
_COST = ("cost_usd", "cost", "total_cost", "cost.total")
_EXCLUSIVE = frozenset({"cache_read_input_tokens", "cache_creation_input_tokens"})
"""Keys of Anthropic's API, whose `input_tokens` does not include the cached ones."""


def usage_of(payload: Mapping[str, Any], model: str | None = None) -> Usage | None:
    """Return the usage that a payload reports, or None. `model` is the model of the call if the payload names none.

    A report with only a total counts it as input. Values that are not finite numbers from 0 on are ignored.
    """
    attributes = attributes_of(payload)
    reports = [
        payload.get("usage"),
        first(payload, "response.usage", "message.usage", "usage_metadata", "usageMetadata"),
        first(payload, "attributes.usage"),
        first(attributes, "gen_ai.usage"),
        first(attributes, "llm.token_count", "llm.usage"),
    ]
    tokens = next(
        (
            found
            for place, report in enumerate(reports)
            if isinstance(report, dict) and (found := _tokens(report, from_api=place < 3))
        ),
        None,
    )
    costs = [first(report, *_COST) for report in reports if isinstance(report, dict)]
    costs += [first(payload, "cost_usd", "attributes.cost_usd", "total_cost_usd"), first(attributes, "llm.cost.total")]
    costs.append(first(attributes, "gen_ai.cost.total", "gen_ai.usage.cost"))
    cost = next((dollars for given in costs if (dollars := _dollars(given)) is not None), None)
    if tokens is None and cost is None:
        return None
    if cost is not None or tokens is None:
        return Usage(tokens or TokenCounts(), cost)
    return Usage(tokens, None, {model_of(payload, attributes) or model or "": tokens})


def model_of(payload: Mapping[str, Any], attributes: Mapping[str, Any] | None = None) -> str | None:
    """Return the name of the model that a payload names, at most 256 characters, or None."""
    attributes = attributes_of(payload) if attributes is None else attributes
    names = (
        first(attributes, "gen_ai.response.model"),
        payload.get("model"),
        first(attributes, "gen_ai.request.model", "llm.model_name", "llm.request.model"),
        first(payload, "response.model", "message.model", "attributes.model"),
    )
    found = next((name for name in names if line(name)), None)
    return found[:256] if found else None


def _tokens(report: Mapping[str, Any], *, from_api: bool) -> TokenCounts | None:
    given = {
        name: _count(report, paths)
        for name, paths in (
            ("input", _INPUT),
            ("output", _OUTPUT),
            ("cache_read", _CACHE_READ),
            ("cache_write", _CACHE_WRITE),
            ("reasoning", _REASONING),
        )
    }
    if given["input"] is None and given["output"] is None:
        total = _count(report, _TOTAL)
        if total is None and not any(given.values()):
            return None
        given["input"] = total
    count = {name: value or 0 for name, value in given.items()}
    cached = count["cache_read"] + count["cache_write"]
    is_exclusive = from_api and not _EXCLUSIVE.isdisjoint(report) and "prompt_tokens" not in report
    if is_exclusive or cached > count["input"]:
        count["input"] += cached
    if "thoughtsTokenCount" in report or count["reasoning"] > count["output"]:
        count["output"] += count["reasoning"]
    return TokenCounts(**count)


def _count(report: Mapping[str, Any], paths: tuple[str, ...]) -> int | None:
    for path in paths:
        value = first(report, path)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS:
            return int(value)
    return None


def _dollars(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e12:
        return None
    return float(value)
