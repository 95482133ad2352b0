"""The callback handler for LangChain and LangGraph."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from signalbox.integrations.langchain.interrupts import ask_about, close_questions
from signalbox.integrations.langchain.messages import answer_of, brief, document_of, message_of, tool_result
from signalbox.integrations.langchain.runs import LangChainRun, open_runs
from signalbox.integrations.reporting.background import background_writer
from signalbox.integrations.reporting.snapshot import text_of
from signalbox.integrations.reporting.target import target
from signalbox.integrations.reporting.traces.harmless import harmless
from signalbox.integrations.reporting.traces.values import decoded, plain
from signalbox.store.emitter.failure import failure

try:
    from langgraph.callbacks import GraphCallbackHandler as _Base
    from langgraph.errors import GraphBubbleUp
except ImportError:  # LangChain without LangGraph, or a LangGraph before 1.2
    _Base = BaseCallbackHandler

    class GraphBubbleUp(Exception):  # type: ignore[no-redef]
        """Stands for the exceptions with which a graph pauses."""


HIDDEN = "langsmith:hidden"
"""The tag of LangGraph for its own helpers."""


class SignalboxCallbackHandler(_Base):
    """Reports each call of a chain or graph as a task, or as a step of the run in which it happens.

    graph.invoke(inputs, {"callbacks": [SignalboxCallbackHandler()]})

    `store`, `server`, `token` and `project` say where to report; without them the environment does. The handler may be
    used by several threads and event loops at once.
    """

    run_inline = True
    """Call the methods in the thread and the order of the events. None of them waits."""

    def __init__(
        self,
        store: str | None = None,
        *,
        server: str | None = None,
        token: str | None = None,
        project: str | None = None,
    ) -> None:
        super().__init__()
        writer = background_writer(target(store, server=server, token=token, project=project))
        self.runs = open_runs(writer)

    # chains, graphs and nodes

    @harmless
    def on_chain_start(
        self,
        serialized: Any,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        name, tags, metadata = _name(serialized, kwargs, "chain"), tags or [], metadata or {}
        kind = _kind(name, tags, metadata)
        place = {"inputs": inputs, "tags": tags, "metadata": metadata, "is_visible": HIDDEN not in tags}
        run, parent = self.runs.start(run_id, parent_run_id, name, kind, **place)
        if run.is_visible and not run.is_root:
            run.task.step(run.span_id, parent, name, kind, inputs=brief(inputs))

    @harmless
    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        run = self.runs.end(run_id)
        if run is None or not run.is_visible:
            return
        if not run.is_root:
            run.task.step_ended(run.span_id, run.name, run.kind, outputs=brief(outputs))
        elif self.runs.threads.is_waiting(run.thread):
            run.task.pause()
        else:
            run.task.end(outputs=brief(outputs))

    @harmless
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        run = self.runs.end(run_id)
        if run is None or not run.is_visible:
            return
        interrupts = _interrupts_in(error)
        if interrupts and run.kind == "node" and not run.is_root:
            # The node is open until the graph is resumed. Then it starts again, in the same span.
            for interrupt in interrupts:
                self.runs.threads.raised(interrupt.id, run.span_id)
            return
        fields = None if isinstance(error, GraphBubbleUp) else failure(error)
        if run.is_root:
            run.task.end(fields, cancelled=_is_cancelled(fields))
        else:
            run.task.step_ended(run.span_id, run.name, run.kind, fields)

    # models

    @harmless
    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        said = [message_of(message) for message in (messages[0] if messages else [])]
        self._call(serialized, said, run_id, parent_run_id, kwargs)

    @harmless
    def on_llm_start(
        self, serialized: Any, prompts: list[str], *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        said = [{"role": "user", "content": prompt} for prompt in prompts]
        self._call(serialized, said, run_id, parent_run_id, kwargs)

    @harmless
    def on_llm_new_token(self, token: Any, *, run_id: UUID, **kwargs: Any) -> None:
        run = self.runs.get(run_id)
        if run is None:
            return
        for block in token if isinstance(token, list) else [token]:
            text, is_thinking = _piece(block)
            run.task.piece(run.span_id, text, is_thinking=is_thinking)

    @harmless
    def on_stream_event(self, event: Any, *, run_id: UUID, **kwargs: Any) -> None:
        run, delta = self.runs.get(run_id), event.get("delta")
        if run is not None and event.get("event") == "content-block-delta" and isinstance(delta, dict):
            text, is_thinking = _piece(delta)
            run.task.piece(run.span_id, text, is_thinking=is_thinking)

    @harmless
    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        run = self.runs.end(run_id)
        if run is not None:
            answer = answer_of(response)
            answer["model"] = answer.get("model") or run.model
            run.task.call_ended(run.span_id, answer.pop("model"), name=run.name, **answer)
            self._end_root(run)

    @harmless
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        run = self.runs.end(run_id)
        if run is not None:
            run.task.call_ended(run.span_id, run.model, failure(error), name=run.name)
            self._end_root(run, error)

    # tools and retrievers

    @harmless
    def on_tool_start(
        self, serialized: Any, input_str: str, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        name = _name(serialized, kwargs, "tool")
        arguments = kwargs.get("inputs")
        self._tool(name, decoded(input_str) if arguments is None else arguments, run_id, parent_run_id, kwargs)

    @harmless
    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        run = self.runs.end(run_id)
        if run is not None:
            result, failed = tool_result(output)
            error = {"error_code": "tool error", "message": str(result)[:1000]} if failed else None
            run.task.tool_ended(run.span_id, run.name, error, result=result)
            self._end_root(run)

    @harmless
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        run = self.runs.end(run_id)
        if run is None:
            return
        if isinstance(error, GraphBubbleUp):
            run.task.tool_ended(run.span_id, run.name, message="interrupted")
        else:
            run.task.tool_ended(run.span_id, run.name, failure(error))
            self._end_root(run, error)

    @harmless
    def on_retriever_start(
        self, serialized: Any, query: str, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        self._tool(_name(serialized, kwargs, "retriever"), {"query": query}, run_id, parent_run_id, kwargs)

    @harmless
    def on_retriever_end(self, documents: Any, *, run_id: UUID, **kwargs: Any) -> None:
        run = self.runs.end(run_id)
        if run is not None:
            run.task.tool_ended(run.span_id, run.name, result=[document_of(document) for document in documents])
            self._end_root(run)

    @harmless
    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self.on_tool_error(error, run_id=run_id)

    # the rest

    @harmless
    def on_retry(self, retry_state: Any, *, run_id: UUID, **kwargs: Any) -> None:
        run = self.runs.get(run_id)
        if run is not None:
            error = retry_state.outcome.exception() if retry_state.outcome else None
            reason = f": {type(error).__name__}: {text_of(error)}" if error is not None else ""
            run.task.line(f"attempt {retry_state.attempt_number} failed{reason}", run.span_id, level="warning")

    @harmless
    def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **kwargs: Any) -> None:
        run = self.runs.get(run_id)
        if run is not None:
            run.task.line(name, run.span_id, data=brief(data))

    @harmless
    def on_text(self, text: str, *, run_id: UUID, **kwargs: Any) -> None:
        run = self.runs.get(run_id)
        if run is not None and text.strip():
            run.task.line(text.strip(), run.span_id)

    @harmless
    def on_interrupt(self, event: Any) -> None:
        run = self.runs.get(event.run_id)
        if run is not None:
            ask_about(self.runs.threads, run.task, run.thread, event.interrupts)

    @harmless
    def on_resume(self, event: Any) -> None:
        run = self.runs.get(event.run_id)
        if run is not None:
            close_questions(self.runs.threads, run.task)

    def _call(
        self, serialized: Any, said: list[Any], run_id: UUID, parent_run_id: UUID | None, kwargs: dict[str, Any]
    ) -> None:
        metadata, params = kwargs.get("metadata") or {}, kwargs.get("invocation_params") or {}
        given = (metadata.get("ls_model_name"), params.get("model"), params.get("model_name"))
        model = next((one for one in given if isinstance(one, str) and one), None)
        name = _name(serialized, kwargs, "model")
        run, parent = self._start(run_id, parent_run_id, name, "llm", said, kwargs)
        run.model = model or name
        run.task.call(run.span_id, parent, run.model, said, name=name)

    def _tool(
        self, name: str, arguments: Any, run_id: UUID, parent_run_id: UUID | None, kwargs: dict[str, Any]
    ) -> None:
        run, parent = self._start(run_id, parent_run_id, name, "tool", arguments, kwargs)
        run.task.tool(run.span_id, parent, name, plain(arguments), call_id=kwargs.get("tool_call_id"))

    def _start(
        self, run_id: UUID, parent_run_id: UUID | None, name: str, kind: str, inputs: Any, kwargs: dict[str, Any]
    ) -> tuple[LangChainRun, str | None]:
        place = {"inputs": inputs, "tags": kwargs.get("tags"), "metadata": kwargs.get("metadata")}
        run, parent = self.runs.start(run_id, parent_run_id, name, kind, **place)
        if run.is_root:
            # A model or a tool that is called alone: a span within its task.
            run.span_id, parent = str(run_id), run.task.root
        return run, parent

    def _end_root(self, run: LangChainRun, error: BaseException | None = None) -> None:
        if run.is_root:
            fields = failure(error) or None
            run.task.end(fields, cancelled=_is_cancelled(fields))


def _name(serialized: Any, kwargs: dict[str, Any], default: str) -> str:
    found = kwargs.get("name") or (serialized or {}).get("name")
    ids = (serialized or {}).get("id")
    return str(found or (ids[-1] if isinstance(ids, list) and ids else default))


def _interrupts_in(error: BaseException) -> list[Any]:
    """Return the interrupts with which a node pauses its graph."""
    interrupts = error.args[0] if isinstance(error, GraphBubbleUp) and error.args else ()
    return [one for one in interrupts if hasattr(one, "id")] if isinstance(interrupts, list | tuple) else []


def _is_cancelled(fields: dict[str, Any] | None) -> bool:
    return fields is not None and fields["error_code"] == "cancelled"


def _kind(name: str, tags: list[str], metadata: dict[str, Any]) -> str:
    if metadata.get("langgraph_node") == name and any(tag.startswith("graph:step:") for tag in tags):
        return "node"
    return "agent" if name.lower().endswith("agent") else "chain"


def _piece(block: Any) -> tuple[str, bool]:
    """Return the text of a piece, and whether it is the model's thinking."""
    if not isinstance(block, dict):
        return str(block), False
    thinking = block.get("reasoning") or block.get("thinking")
    text = thinking or block.get("text") or ""
    return (text, bool(thinking)) if isinstance(text, str) else ("", False)
