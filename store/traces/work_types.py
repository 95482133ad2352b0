"""The type of work that a span does, as its attributes say it: a model call, a tool, an agent, or its span kind."""

from __future__ import annotations

from signalbox.store.model_calls.attributes import attributes_of, first, line
from signalbox.store.traces.values import TraceSpan

_OPERATIONS = {
    **dict.fromkeys(("chat", "text_completion", "generate_content", "completion", "llm", "rerank"), "llm"),
    **dict.fromkeys(("embeddings", "embedding"), "embedding"),
    **dict.fromkeys(("execute_tool", "tool"), "tool"),
    **dict.fromkeys(("invoke_agent", "create_agent", "agent"), "agent"),
    **dict.fromkeys(("invoke_workflow", "workflow", "chain", "task", "retriever", "guardrail", "evaluator"), ""),
}
"""The type of work for the operations of `gen_ai.operation.name`, and for the span kinds of OpenInference and
Traceloop.

An empty type stands for the operation's own name.
"""

_PREFIXES = (("db.system", "database"), ("db.system.name", "database"), ("messaging.system", "messaging"))


def work_type_of(span: TraceSpan) -> str:
    """Return the type of work of a span: `llm`, `tool`, `agent`, `database` and so on, else its span kind."""
    named = span.attributes.get("openinference.span.kind") or span.attributes.get("traceloop.span.kind")
    model = first(attributes_of(span.attributes), "gen_ai.operation.name", "llm.request.type")
    for operation in (model, named):
        if (word := line(operation)) is not None:
            found = _OPERATIONS.get(word.lower())
            return found or word.lower()[:64]
    if any(name.startswith(("gen_ai.request.", "gen_ai.usage.", "llm.token_count.")) for name in span.attributes):
        return "llm"
    for name, kind in _PREFIXES:
        if name in span.attributes:
            return kind
    return span.kind
