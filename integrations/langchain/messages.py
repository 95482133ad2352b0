"""Messages, answers and documents of LangChain as payloads of events."""

from __future__ import annotations

from typing import Any

from signalbox.integrations.reporting.traces.values import plain

MAX_STATE_CHARS = 4000
"""Characters of each text in the inputs and outputs of a step. A graph passes its whole state to every node."""

MAX_STATE_ITEMS = 20
MAX_DOCUMENT_CHARS = 2000

_ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant", "function": "tool"}


def message_of(message: Any) -> dict[str, Any]:
    """Return a message as an object with `role` and `content`."""
    if isinstance(message, str):
        return {"role": "user", "content": message}
    if isinstance(message, tuple) and len(message) == 2:
        return {"role": _ROLES.get(message[0], message[0]), "content": plain(message[1])}
    if isinstance(message, dict):
        return {str(name): plain(value) for name, value in message.items()}
    kind = str(getattr(message, "type", "user"))
    found = {"role": _ROLES.get(kind, kind), "content": plain(getattr(message, "content", str(message)))}
    for name in ("tool_calls", "tool_call_id", "name", "status"):
        if value := getattr(message, name, None):
            found[name] = plain(value)
    thinking = getattr(message, "additional_kwargs", {}).get("reasoning_content")
    return {**found, "reasoning_content": thinking} if isinstance(thinking, str) and thinking else found


def first_words(inputs: Any) -> str | None:
    """Return the text of the newest message of a person in the input of a chain, None if there is none."""
    if isinstance(inputs, str):
        return inputs
    if isinstance(inputs, dict):
        for name in ("messages", "input", "question", "query"):
            if inputs.get(name):
                return first_words(inputs[name])
        return None
    if isinstance(inputs, list | tuple) and inputs:
        for one in reversed([message_of(one) for one in inputs]):
            if one.get("role") in ("user", "human"):
                return _text(one.get("content"))
    return _text(getattr(inputs, "content", None))


def answer_of(response: Any) -> dict[str, Any]:
    """Return the fields of the answer of a model: `message`, `usage`, `model`, `response_id` and `stop_reason`."""
    generations = [one for group in response.generations for one in group]
    if not generations:
        return {}
    first = generations[0]
    message = getattr(first, "message", None)
    details = {**(getattr(first, "generation_info", None) or {}), **(getattr(message, "response_metadata", None) or {})}
    output = response.llm_output or {}
    usage = getattr(message, "usage_metadata", None) or output.get("token_usage") or output.get("usage")
    response_id = details.get("id") or getattr(message, "id", None)
    return {
        "message": message_of(message) if message is not None else {"role": "assistant", "content": first.text},
        "usage": plain(usage),
        "model": details.get("model_name") or details.get("model") or output.get("model_name"),
        # LangChain makes up an id from that of the run if the provider gave none.
        "response_id": None if str(response_id).startswith(("lc_run-", "run-")) else response_id,
        "stop_reason": details.get("finish_reason") or details.get("stop_reason"),
    }


def document_of(document: Any) -> dict[str, Any]:
    """Return a document that a retriever found, cut to `MAX_DOCUMENT_CHARS`."""
    text = str(getattr(document, "page_content", document))
    found = {"id": getattr(document, "id", None), "content": _cut(text, MAX_DOCUMENT_CHARS)}
    metadata = getattr(document, "metadata", None)
    return {name: value for name, value in {**found, "metadata": plain(metadata)}.items() if value}


def brief(value: Any) -> Any:
    """Return the input or output of a step with its longest parts cut."""
    return _brief(plain(_messages_in(value)))


def tool_result(output: Any) -> tuple[Any, bool]:
    """Return the result of a tool, and whether the tool reports a failure."""
    if getattr(output, "type", None) == "tool":
        return plain(output.content), getattr(output, "status", "success") == "error"
    return brief(output), False


def _messages_in(value: Any, depth: int = 4) -> Any:
    """Return a value in which messages are short objects, because their models have many empty fields."""
    if hasattr(value, "content") and hasattr(value, "type"):
        return message_of(value)
    if depth and isinstance(value, dict):
        return {name: _messages_in(one, depth - 1) for name, one in list(value.items())}
    if depth and isinstance(value, list | tuple):
        return [_messages_in(one, depth - 1) for one in value]
    return value


def _brief(value: Any) -> Any:
    if isinstance(value, str):
        return _cut(value, MAX_STATE_CHARS)
    if isinstance(value, dict):
        return {name: _brief(one) for name, one in list(value.items())[:MAX_STATE_ITEMS]}
    if isinstance(value, list):
        # The newest messages are at the end.
        left_out = len(value) - MAX_STATE_ITEMS
        return [*([f"… {left_out} more"] if left_out > 0 else []), *map(_brief, value[-MAX_STATE_ITEMS:])]
    return value


def _cut(text: str, limit: int) -> str:
    return f"{text[:limit]}…" if len(text) > limit else text


def _text(content: Any) -> str | None:
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return " ".join(text for text in texts if isinstance(text, str)) or None
    return content if isinstance(content, str) else None
