"""Test that model calls and tools are read from spans in each of the conventions that instrumentations use."""

from __future__ import annotations

from typing import Any

import pytest

from signalbox.store.model_calls import model_call_of
from signalbox.store.traces import TraceSpan, end_events
from tests.support.traces import NOON, TRACE, fold_spans, span_id

CALLS: dict[str, dict[str, Any]] = {
    "current": {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "m-1",
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"Hello?"}]}]',
        "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"Hi."}]}]',
    },
    "older": {
        "gen_ai.system": "acme",
        "gen_ai.request.model": "m-1",
        "gen_ai.usage.prompt_tokens": 20,
        "gen_ai.usage.completion_tokens": 5,
        "gen_ai.prompt.0.role": "user",
        "gen_ai.prompt.0.content": "Hello?",
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": "Hi.",
    },
    "openinference": {
        "openinference.span.kind": "LLM",
        "llm.model_name": "m-1",
        "llm.token_count.prompt": 20,
        "llm.token_count.completion": 5,
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "Hello?",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": "Hi.",
    },
    "traceloop": {
        "llm.request.type": "chat",
        "gen_ai.request.model": "m-1",
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 5,
        "llm.usage.total_tokens": 25,
        "gen_ai.prompt.0.role": "user",
        "gen_ai.prompt.0.content": "Hello?",
        "gen_ai.completion.0.content": "Hi.",
        "traceloop.association.properties.session": "s",
    },
}
TOOLS: dict[str, dict[str, Any]] = {
    "current": {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "stock",
        "gen_ai.tool.call.arguments": '{"sku": 1}',
        "gen_ai.tool.call.result": '{"left": 4}',
    },
    "openinference": {
        "openinference.span.kind": "TOOL",
        "tool.name": "stock",
        "input.value": '{"sku": 1}',
        "output.value": '{"left": 4}',
    },
    "traceloop": {
        "traceloop.span.kind": "tool",
        "traceloop.entity.name": "stock",
        "traceloop.entity.input": '{"sku": 1}',
        "traceloop.entity.output": '{"left": 4}',
    },
}


def span(attributes: dict[str, Any], number: int = 1) -> TraceSpan:
    return TraceSpan(trace_id=TRACE, span_id=span_id(number), name="work", ended_ns=NOON, attributes=attributes)


@pytest.mark.parametrize("convention", CALLS)
def test_a_model_call_has_its_messages_tokens_and_model(convention: str) -> None:
    called = span(CALLS[convention])
    (event,) = end_events(called)
    call = model_call_of(event.event_type, event.payload)
    assert [(one.role, one.parts[0].text) for one in (*call.input, *call.output)] == [
        ("user", "Hello?"),
        ("assistant", "Hi."),
    ]
    state = fold_spans([called])
    folded = state.spans[called.span_id]
    assert (folded.work_type, folded.model, state.task.conversation_seq) == ("llm", "m-1", 1)
    assert folded.usage is not None
    assert (folded.usage.tokens.input, folded.usage.tokens.output) == (20, 5)


@pytest.mark.parametrize("convention", TOOLS)
def test_a_tool_has_its_arguments_and_its_result(convention: str) -> None:
    used = span(TOOLS[convention])
    (event,) = end_events(used)
    tool = model_call_of(event.event_type, event.payload).tool
    assert tool is not None
    assert (tool.name, tool.arguments, tool.result) == ("stock", {"sku": 1}, {"left": 4})
    state = fold_spans([used])
    assert (state.spans[used.span_id].kind, state.task.conversation_seq) == ("tool", 1)


@pytest.mark.parametrize(
    ("attributes", "work_type"),
    [
        ({"gen_ai.operation.name": "invoke_agent"}, "agent"),
        ({"openinference.span.kind": "AGENT"}, "agent"),
        ({"traceloop.span.kind": "workflow"}, "workflow"),
        ({"gen_ai.operation.name": "embeddings"}, "embedding"),
        ({"db.system.name": "postgresql"}, "database"),
        ({}, "internal"),
    ],
)
def test_other_spans_have_a_type_of_work(attributes: dict[str, Any], work_type: str) -> None:
    assert fold_spans([span(attributes)]).spans[span_id(1)].work_type == work_type
