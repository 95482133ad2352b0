"""Test that the messages, tools and tokens of a model call are read from every format."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.store.model_calls import Piece, TokenCounts, Usage, model_call_of, piece_of, usage_of

ARGUMENTS = {"path": "worker/drain.py"}
OPENAI: dict[str, Any] = {
    "model": "small-1",
    "messages": [
        {"role": "system", "content": "Be careful."},
        {"role": "user", "content": [{"type": "text", "text": "Fix it."}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "function": {"name": "read", "arguments": json.dumps(ARGUMENTS)}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "def drain(): ..."},
    ],
    "choices": [{"message": {"role": "assistant", "content": "Done."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 90, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 40}},
}
ANTHROPIC: dict[str, Any] = {
    "model": "small-1",
    "system": "Be careful.",
    "messages": [
        {"role": "user", "content": "Fix it."},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "read", "input": ARGUMENTS}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "def drain(): ..."}]}
            ],
        },
    ],
    "content": [{"type": "text", "text": "Done."}],
    "usage": {"input_tokens": 50, "output_tokens": 10, "cache_read_input_tokens": 40},
}
GEN_AI = {
    "gen_ai.request.model": "small-1",
    "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be careful."}]),
    "gen_ai.input.messages": json.dumps(
        [
            {"role": "user", "parts": [{"type": "text", "content": "Fix it."}]},
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "read", "arguments": ARGUMENTS}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "def drain(): ..."}]},
        ]
    ),
    "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "Done."}]}],
    "gen_ai.usage.input_tokens": 90,
    "gen_ai.usage.output_tokens": 10,
    "gen_ai.usage.cache_read.input_tokens": 40,
}
OLDER_GEN_AI = {
    "gen_ai.request.model": "small-1",
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "Be careful.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "Fix it.",
    "gen_ai.prompt.2.role": "assistant",
    "gen_ai.prompt.2.tool_calls.0.id": "c1",
    "gen_ai.prompt.2.tool_calls.0.name": "read",
    "gen_ai.prompt.2.tool_calls.0.arguments": json.dumps(ARGUMENTS),
    "gen_ai.prompt.3.role": "tool",
    "gen_ai.prompt.3.tool_call_id": "c1",
    "gen_ai.prompt.3.content": "def drain(): ...",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "Done.",
    "gen_ai.usage.prompt_tokens": 90,
    "gen_ai.usage.completion_tokens": 10,
    "gen_ai.usage.cache_read_input_tokens": 40,
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "small-1",
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "Be careful.",
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.contents.0.message_content.type": "text",
    "llm.input_messages.1.message.contents.0.message_content.text": "Fix it.",
    "llm.input_messages.2.message.role": "assistant",
    "llm.input_messages.2.message.tool_calls.0.tool_call.id": "c1",
    "llm.input_messages.2.message.tool_calls.0.tool_call.function.name": "read",
    "llm.input_messages.2.message.tool_calls.0.tool_call.function.arguments": json.dumps(ARGUMENTS),
    "llm.input_messages.3.message.role": "tool",
    "llm.input_messages.3.message.tool_call_id": "c1",
    "llm.input_messages.3.message.content": "def drain(): ...",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "Done.",
    "llm.token_count.prompt": 90,
    "llm.token_count.completion": 10,
    "llm.token_count.prompt_details.cache_read": 40,
}
CALLS = {
    "openai": OPENAI,
    "anthropic": ANTHROPIC,
    "gen_ai": GEN_AI,
    "older gen_ai": OLDER_GEN_AI,
    "openinference": OPENINFERENCE,
}


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in flat.items():
        *above, last = name.split(".")
        into = found
        for part in above:
            into = into.setdefault(part, {})
        into[last] = value
    return found


def otlp(flat: dict[str, Any]) -> list[dict[str, Any]]:
    def value(one: Any) -> dict[str, Any]:
        if isinstance(one, int):
            return {"intValue": str(one)}
        return {"stringValue": one if isinstance(one, str) else json.dumps(one)}

    return [{"key": name, "value": value(one)} for name, one in flat.items()]


FLAT = {name: CALLS[name] for name in ("gen_ai", "older gen_ai", "openinference")}
FORMS = (
    CALLS
    | {f"{name}, below attributes": {"attributes": call} for name, call in FLAT.items()}
    | {f"{name}, nested": nested(call) for name, call in FLAT.items()}
    | {f"{name}, nested below attributes": {"attributes": nested(call)} for name, call in FLAT.items()}
    | {f"{name}, as OTLP": {"attributes": otlp(call)} for name, call in FLAT.items()}
)


@pytest.mark.parametrize("form", FORMS)
def test_every_format_of_a_call_is_read_as_the_same_conversation(form: str) -> None:
    call = model_call_of("work_item_complete", FORMS[form])
    said = [
        (message.role, [(part.kind, part.text or part.name or part.value) for part in message.parts])
        for message in (*call.input, *call.output)
    ]
    assert said == [
        ("system", [("text", "Be careful.")]),
        ("user", [("text", "Fix it.")]),
        ("assistant", [("tool_call", "read")]),
        ("tool", [("tool_result", "def drain(): ...")]),
        ("assistant", [("text", "Done.")]),
    ]
    asked, answered = call.input[2].parts[0], call.input[3].parts[0]
    assert (asked.value, asked.call_id, answered.call_id) == (ARGUMENTS, "c1", "c1")
    assert call.model == "small-1"
    assert call.usage == Usage(TokenCounts(90, 10, 40), None, {"small-1": TokenCounts(90, 10, 40)})


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"usage": {"input_tokens": 5, "output_tokens": 2}, "cost_usd": 0.5}, Usage(TokenCounts(5, 2), 0.5)),
        ({"cost_usd": 0.25}, Usage(TokenCounts(), 0.25)),
        ({"usage": {"total_tokens": 9}}, Usage(TokenCounts(9), None, {"": TokenCounts(9)})),
        ({"usage": {"output_tokens": 9, "reasoning_tokens": 4}, "cost_usd": 1}, Usage(TokenCounts(0, 9, 0, 0, 4), 1.0)),
        ({"usage": {"input_tokens": True, "output_tokens": -3}}, None),
        ({"usage": {"input_tokens": float("inf")}, "cost_usd": "much"}, None),
        ({"usage": "none", "llm": 3, "gen_ai": [1]}, None),
    ],
)
def test_only_finite_numbers_from_0_on_count(payload: dict[str, Any], expected: Usage | None) -> None:
    assert usage_of(payload) == expected


@pytest.mark.parametrize(
    ("event_type", "payload", "piece"),
    [
        ("log", {"delta": "Hel"}, Piece("Hel")),
        ("token", {"text": "Hel"}, Piece("Hel")),
        ("chunk", {"choices": [{"delta": {"content": "Hel"}}]}, Piece("Hel")),
        ("x", {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hel"}}, Piece("Hel")),
        ("x", {"delta": {"type": "thinking_delta", "thinking": "Hm"}}, Piece("", "Hm")),
        ("x", {"delta": {"partial_json": '{"a"'}}, Piece("", "", "", '{"a"')),
        ("log", {"message": "Hello"}, None),
    ],
)
def test_pieces_of_a_streamed_answer_are_read(event_type: str, payload: dict[str, Any], piece: Piece | None) -> None:
    assert piece_of(event_type, payload) == piece


names = st.sampled_from(
    [
        *("messages", "model", "usage", "role", "content", "tool_calls", "function", "arguments", "choices", "message"),
        *("attributes", "key", "value", "gen_ai", "llm", "parts", "type", "text", "0", "1", "prompt", "delta", "data"),
        *("gen_ai.prompt.0.content", "llm.input_messages.0.message.role", "gen_ai.input.messages", "tool.name"),
        *("intValue", "arrayValue", "kvlistValue", "values"),
        *("gen_ai.usage", "gen_ai.usage.input_tokens", "response", "body", "operation", "input_tokens", "system"),
    ]
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.just('[{"role": 1}]')),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=4)),
    max_leaves=12,
)


@pytest.mark.long
@given(
    payload=st.dictionaries(names, values, max_size=6), event_type=st.sampled_from(["log", "gen_ai.choice", "token"])
)
def test_no_payload_is_an_error_or_changed(payload: dict[str, Any], event_type: str) -> None:
    before = msgspec.json.encode(payload)
    model_call_of(event_type, payload)
    piece_of(event_type, payload)
    assert msgspec.json.encode(payload) == before


@pytest.mark.parametrize(
    ("written", "tokens"), [("12", 12), ("123456789012", 123456789012), ("--5", 0), ("5-", 0), ("٣", 0), ("", 0)]
)
def test_an_integer_of_otlp_is_read_if_it_is_one(written: str, tokens: int) -> None:
    pair = {"key": "gen_ai.usage.input_tokens", "value": {"intValue": written}}
    usage = usage_of({"attributes": [pair]})
    assert (usage.tokens if usage else TokenCounts()) == TokenCounts(tokens)


def test_names_with_dots_inside_the_arguments_of_a_tool_are_kept() -> None:
    payload = {"gen_ai.usage": {}, "gen_ai.tool.name": "ls", "gen_ai.tool.call.arguments": {"a.b": {"c.d": 1}}}
    tool = model_call_of("span", payload).tool
    assert tool is not None
    assert tool.arguments == {"a.b": {"c.d": 1}}
