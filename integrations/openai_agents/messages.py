"""Items of OpenAI's Responses API as messages of a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from signalbox.integrations.reporting.traces.values import decoded, plain

_CALLS = ("function_call", "custom_tool_call", "mcp_call", "computer_call", "web_search_call", "file_search_call")
_RESULTS = ("function_call_output", "custom_tool_call_output", "computer_call_output")


def messages_of(items: Any) -> list[dict[str, Any]]:
    """Return the messages in the input of a model: a text, messages, or items of the Responses API.

    Calls of tools and reasoning become parts of one message of the assistant, as in the Chat Completions API.
    """
    if isinstance(items, str):
        return [{"role": "user", "content": items}]
    found: list[dict[str, Any]] = []
    for item in _each(items):
        kind = item.get("type")
        if kind in _CALLS:
            _answer(found).setdefault("tool_calls", []).append(_call(item))
        elif kind in _RESULTS:
            found.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")})
        elif kind == "reasoning":
            _answer(found)["reasoning"] = _reasoning(item)
        elif item.get("role") == "assistant":
            answer = _answer(found)
            if answer.get("content"):
                found.append(answer := {"role": "assistant"})
            answer |= {name: value for name, value in item.items() if name in ("content", "tool_calls", "refusal")}
        else:
            found.append(item)
    return found


def answer_of(output: Any) -> dict[str, Any] | None:
    """Return the message with which a model answered, from the output of a span. None if there is none."""
    items: list[Any] = []
    for one in _each(output):
        # The whole response of the API, or an item or a message of it.
        items += one["output"] if isinstance(one.get("output"), list) else [one]
    answers = [message for message in messages_of(items) if message.get("role") == "assistant"]
    if not answers:
        return None
    answer = answers[0]
    for further in answers[1:]:
        answer["content"] = [*_parts(answer.get("content")), *_parts(further.get("content"))]
        answer["tool_calls"] = [*answer.get("tool_calls", ()), *further.get("tool_calls", ())]
    texts = [part.get("text") for part in _parts(answer.get("content")) if isinstance(part, dict)]
    if texts and all(isinstance(text, str) for text in texts):
        answer["content"] = "\n\n".join(map(str, texts))
    return answer


def question_in(messages: list[dict[str, Any]] | None) -> str | None:
    """Return the text of the first message of a person, None if there is none."""
    content = next((message.get("content") for message in messages or () if message.get("role") == "user"), None)
    texts = [part.get("text") for part in _parts(content) if isinstance(part, dict)]
    return " ".join(text for text in texts if isinstance(text, str)) or None


def _each(items: Any) -> Iterable[dict[str, Any]]:
    if isinstance(items, Mapping) or not isinstance(items, Iterable):
        items = [items]
    return (item for item in map(plain, items) if isinstance(item, dict))


def _answer(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the last message if it is the assistant's, else a new one."""
    if not found or found[-1].get("role") != "assistant":
        found.append({"role": "assistant"})
    return found[-1]


def _call(item: Mapping[str, Any]) -> dict[str, Any]:
    name = item.get("name") or str(item.get("type")).removesuffix("_call")
    arguments = item.get("arguments", item.get("input", item.get("action", item.get("queries"))))
    return {"id": item.get("call_id") or item.get("id"), "name": name, "arguments": decoded(arguments)}


def _reasoning(item: Mapping[str, Any]) -> str:
    parts = [*_parts(item.get("summary")), *_parts(item.get("content"))]
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n\n".join(text for text in texts if isinstance(text, str)) or "(hidden by the provider)"


def _parts(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [] if content is None else [{"type": "text", "text": content}]
