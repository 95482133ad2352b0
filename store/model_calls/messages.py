"""Messages of a conversation with a model, in any of the formats that the package reads, as one value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from signalbox.store.model_calls.attributes import decoded, first, items, line

Role = Literal["system", "user", "assistant", "tool"]
Kind = Literal["text", "thinking", "tool_call", "tool_result", "media", "other"]

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
    "ipython": "tool",
}
_THINKING = frozenset({"thinking", "reasoning", "redacted_thinking", "reasoning_content", "thought"})
_MEDIA = frozenset({"image", "image_url", "input_image", "audio", "input_audio", "document", "file", "blob", "uri"})
_TEXT_KEYS = ("text", "content", "thinking", "refusal", "input_text", "output_text", "reasoning", "value")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a message.

    `text` is the text of a `text` or `thinking`, and describes a `media`. A `tool_call` has `name`, `call_id` and in
    `value` its arguments; a `tool_result` has `call_id`, in `value` the result, and `failed`. `other` is a part of an
    unknown format, unchanged in `value`.
    """

    kind: Kind
    text: str = ""
    name: str = ""
    call_id: str = ""
    value: Any = None
    failed: bool = False


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a speaker. `name` is the speaker's own name, if it has one."""

    role: Role
    parts: tuple[Part, ...]
    name: str = ""

    @property
    def content(self) -> tuple[object, ...]:
        """The parts that tell whether two messages are the same: an API may return other ids or spaces."""
        return (
            self.role,
            *(
                (part.kind, part.text.strip(), part.name, msgspec.json.encode(part.value, order="sorted"))
                for part in self.parts
                if part.kind != "thinking"
            ),
        )


def messages_of(value: object, role: Role = "user") -> tuple[ChatMessage, ...]:
    """Return the messages in a list, an indexed object, a single message or a text, also if it is JSON.

    `role` is that of messages that name none.
    """
    value = decoded(value)
    listed = items(value)
    if isinstance(value, list) and listed and not any(map(_is_message, listed)) and any(map(_is_part, listed)):
        # A list of parts, such as `gen_ai.system_instructions`, is one message.
        return _one({"content": listed}, role)
    if listed or isinstance(value, list):
        return tuple(message for one in listed for message in _one(one, role))
    return _one(value, role) if value not in (None, "", {}) else ()


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and any(name in value for name in ("role", "message", "parts"))


def _is_part(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("type"), str)


def _one(value: object, role: Role) -> tuple[ChatMessage, ...]:
    value = decoded(value)
    if isinstance(value, str):
        return (ChatMessage(role=role, parts=(Part(kind="text", text=value),)),) if value else ()
    if isinstance(value, dict) and isinstance(value.get("message"), dict):
        value = value["message"]
    if not isinstance(value, dict):
        return (ChatMessage(role=role, parts=(Part(kind="other", value=value),)),) if value is not None else ()
    named = value.get("role") or value.get("type")
    known = ROLES.get(named.lower()) if isinstance(named, str) else None
    # In a LangChain message the role is in `type`, and the content may be in `data`.
    role = known or role
    inner = value["data"] if isinstance(value.get("data"), dict) else value
    if role == "tool" or (value.get("tool_call_id") and role == "user"):
        return _tool_answers(inner)
    parts = [*_reasoning(inner), *parts_of(_content(inner)), *tool_calls_of(inner)]
    return _split_results(role, parts, line(value.get("name")) or "")


def _split_results(role: Role, parts: list[Part], name: str) -> tuple[ChatMessage, ...]:
    """Return the tool results among the parts, which Anthropic's API has in a message of the user, as messages."""
    results = tuple(part for part in parts if part.kind == "tool_result")
    said = tuple(part for part in parts if part.kind != "tool_result")
    found = [ChatMessage(role="tool", parts=(part,)) for part in results]
    return (*found, ChatMessage(role=role, parts=said, name=name)) if said else tuple(found)


def _tool_answers(value: Mapping[str, Any]) -> tuple[ChatMessage, ...]:
    parts = parts_of(_content(value))
    results = tuple(part for part in parts if part.kind == "tool_result")
    if results:
        return tuple(ChatMessage(role="tool", parts=(part,)) for part in results)
    plain = [part.text for part in parts if part.kind == "text"]
    result = "\n".join(plain) if len(plain) == len(parts) else _content(value)
    call_id = line(value.get("tool_call_id")) or line(value.get("id")) or line(value.get("call_id")) or ""
    failed = value.get("status") in ("error", "failed") or value.get("is_error") is True
    part = Part(
        kind="tool_result", call_id=call_id, name=line(value.get("name")) or "", value=decoded(result), failed=failed
    )
    return (ChatMessage(role="tool", parts=(part,)),)


def _content(value: Mapping[str, Any]) -> object:
    for name in ("parts", "content", "contents", "text"):
        if value.get(name) not in (None, "", []):
            return value[name]
    return None


def parts_of(content: object) -> list[Part]:
    """Return the parts of the content of a message: a text, or a list of texts and blocks."""
    if isinstance(content, str):
        return [Part(kind="text", text=content)] if content else []
    if isinstance(content, dict) and not items(content):
        return [_part(content)]
    listed = content if isinstance(content, list) else items(content)
    if not listed and content not in (None, [], {}):
        return [Part(kind="other", value=content)]
    return [part for one in listed for part in (parts_of(one) if isinstance(one, str) else [_part(one)])]


def _part(value: object) -> Part:
    if isinstance(value, dict) and isinstance(value.get("message_content"), dict):
        value = value["message_content"]
    if not isinstance(value, dict):
        return Part(kind="other", value=value)
    kind = line(value.get("type"))
    if kind in ("tool_use", "tool_call", "function_call", "server_tool_use") or "function_call" in value:
        return tool_call_of(value)
    if kind in ("tool_result", "tool_call_response", "function_call_output"):
        result = first(value, "result", "response", "content", "output")
        call_id = first(value, "tool_use_id", "id", "call_id", "tool_call_id")
        return Part(
            kind="tool_result",
            call_id=line(call_id) or "",
            name=line(value.get("name")) or "",
            value=_plain(decoded(result)),
            failed=value.get("is_error") is True,
        )
    text = next((found for name in _TEXT_KEYS if (found := line(value.get(name)))), None)
    if kind in _THINKING:
        return Part(kind="thinking", text=text or "(hidden by the provider)")
    if kind in _MEDIA or "inline_data" in value:
        return Part(kind="media", text=_media(value))
    if text is not None and kind in (None, "text", "input_text", "output_text", "refusal"):
        return Part(kind="text", text=text)
    return Part(kind="other", value=value)


def _plain(result: object) -> object:
    """Return the text of a result that is a list of text blocks. Return any other result unchanged."""
    if isinstance(result, list) and result:
        texts = [one.get("text") for one in result if isinstance(one, dict) and one.get("type") == "text"]
        if len(texts) == len(result) and all(isinstance(text, str) for text in texts):
            return decoded("\n".join(str(text) for text in texts))
    return result


def tool_calls_of(value: Mapping[str, Any]) -> list[Part]:
    """Return the tool calls that a message has besides its content."""
    calls = items(value.get("tool_calls"))
    if isinstance(value.get("function_call"), dict):
        calls = [*calls, value["function_call"]]
    return [tool_call_of(call) for call in calls if isinstance(call, dict)]


def tool_call_of(value: Mapping[str, Any]) -> Part:
    """Return a tool call from an object of any format."""
    call = next((value[name] for name in ("tool_call", "function_call") if isinstance(value.get(name), dict)), value)
    function = call["function"] if isinstance(call.get("function"), dict) else call
    arguments = first(function, "arguments", "input", "args", "parameters")
    return Part(
        kind="tool_call",
        name=line(function.get("name")) or "tool",
        call_id=line(first(call, "id", "call_id", "tool_call_id")) or "",
        value=decoded(arguments),
    )


def _reasoning(value: Mapping[str, Any]) -> Iterable[Part]:
    text = line(value.get("reasoning_content")) or line(value.get("reasoning"))
    return [Part(kind="thinking", text=text)] if text else []


def _media(value: Mapping[str, Any]) -> str:
    source = first(value, "image_url.url", "source.url", "uri", "image.url", "url", "file.filename", "filename", "name")
    kind = line(first(value, "mime_type", "source.media_type", "media_type", "modality")) or line(value.get("type"))
    address = line(source) or line(value.get("image_url")) or ""
    return f"{kind or 'file'} {'' if address.startswith('data:') else address[:300]}".strip()
