"""A session of Claude as a task: prompts, model calls, tools, subagents, and the result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from signalbox.integrations.claude_agent.calls import Call, blocks_of
from signalbox.integrations.claude_agent.tools import Tools
from signalbox.integrations.reporting.background import BackgroundWriter
from signalbox.integrations.reporting.traces.harmless import harmless
from signalbox.integrations.reporting.traces.traced_task import TracedTask, open_trace
from signalbox.integrations.reporting.traces.values import plain, title_of
from signalbox.store.emitter.failure import failure
from signalbox.store.events import new_id

LIBRARY = "claude-agent-sdk"
KIND = "claude-agent"
MAX_RESULT_CHARS = 20_000


class ClaudeSession:
    """Reports one session. Its task begins with the first prompt or message. No method waits, and none raises."""

    def __init__(self, writer: BackgroundWriter, *, title: str | None = None) -> None:
        self._writer, self._title = writer, title
        self._start_over()

    def _start_over(self) -> None:
        """Forget the session. A client that connects again begins another task."""
        self._task: TracedTask | None = None
        self._tools: Tools | None = None
        self._prompts: list[str] = []
        self._calls: dict[str | None, Call] = {}
        self._times: dict[str | None, float] = {}
        self._result: dict[str, Any] = {}
        self._is_error = False
        self._labels: dict[str, Any] = {}

    @property
    def task(self) -> TracedTask:
        """The task, which begins now if it has not begun."""
        if self._task is None:
            title = self._title or title_of(self._prompts[0] if self._prompts else None) or "Claude"
            self._task = open_trace(self._writer, new_id(), title=title, kind=KIND)
            self._task.begin(LIBRARY)
        return self._task

    @property
    def tools(self) -> Tools:
        """The tool calls and subagents."""
        if self._tools is None:
            self._tools = Tools(self.task)
        return self._tools

    @harmless
    def prompt(self, text: str) -> None:
        """Report a prompt of the user. A hook may report it again."""
        if not text or (self._prompts and self._prompts[-1] == text):
            return
        self._prompts.append(text)
        self._times[None] = time.time()
        self.task.event("user_message", None, None, {"content": text})

    @harmless
    def message(self, message: Any) -> None:
        """Report a message of the SDK."""
        report = getattr(self, f"_{type(message).__name__}", None)
        if report is not None:
            report(message)

    @harmless
    def hook(self, given: Mapping[str, Any]) -> None:
        """Report the call of a hook."""
        self._label(session=given.get("session_id"))
        report = getattr(self, f"_on_{given.get('hook_event_name')}", None)
        if report is not None:
            report(given)

    @harmless
    def end(self, error: BaseException | None = None) -> None:
        """Report the end of the session: the error that ended it, or that of the last result."""
        if self._task is None:
            return
        for call in self._calls.values():
            call.end()
        self._calls.clear()
        fields = failure(error) or None
        cancelled = isinstance(error, GeneratorExit) or bool(fields and fields["error_code"] == "cancelled")
        if fields is None and self._is_error:
            fields = {"error_code": self._result.get("subtype") or "error", "message": self._result.get("result")}
        self._task.end(None if cancelled else fields, cancelled=cancelled, **_sums(self._result))
        self._start_over()

    # messages

    def _AssistantMessage(self, message: Any) -> None:
        call = self._call(message.parent_tool_use_id, message.message_id, message.model)
        place, blocks = call.parent, blocks_of(message.content)
        call.said([block for block in blocks if block["type"] != "tool_result"], message.usage, message.stop_reason)
        if message.error:
            self.task.line(f"the API answered: {message.error}", place, level="error")
        self._tool_blocks(blocks, place)

    def _StreamEvent(self, message: Any) -> None:
        event, place = message.event, message.parent_tool_use_id
        if event.get("type") == "message_start":
            started = event.get("message") or {}
            self._call(place, started.get("id"), started.get("model") or "Claude")
        call = self._calls.get(place)
        if call is not None:
            call.streamed(event)

    def _UserMessage(self, message: Any) -> None:
        place, blocks = message.parent_tool_use_id, blocks_of(message.content)
        self._end_call(place)
        self._times[place] = time.time()
        texts = [block["text"] for block in blocks if block["type"] == "text"]
        if place is not None and texts:
            # The prompt of a subagent. Those of the main agent are known already.
            self.task.event("user_message", place, None, {"content": "\n\n".join(texts)})
        self._tool_blocks(blocks, place)

    def _SystemMessage(self, message: Any) -> None:
        if message.subtype == "init":
            self._label(session=message.data.get("session_id"), model=message.data.get("model"))
        elif message.subtype == "compact_boundary":
            self.task.line("the conversation was compacted")

    def _TaskStartedMessage(self, message: Any) -> None:
        self.tools.started_by(message.task_id, message.tool_use_id)

    def _TaskNotificationMessage(self, message: Any) -> None:
        self.task.line(f"{message.status}: {message.summary}", self.tools.place_of(message.task_id))

    def _RateLimitEvent(self, message: Any) -> None:
        info = message.rate_limit_info
        if info.status != "allowed":
            self.task.line(f"rate limit {info.rate_limit_type or ''}: {info.status}", level="warning")

    def _ResultMessage(self, message: Any) -> None:
        for place in list(self._calls):
            self._end_call(place)
        self._times[place] = time.time()
        self._is_error = bool(message.is_error)
        errors = "; ".join(str(error) for error in message.errors or ())
        self._result = {
            "subtype": message.subtype,
            "result": (message.result or errors or message.subtype)[:MAX_RESULT_CHARS],
            "usage": plain(message.usage),
            "cost_usd": message.total_cost_usd,
            "num_turns": message.num_turns,
            "duration_api_ms": message.duration_api_ms,
            "model_usage": plain(message.model_usage),
            "session_id": message.session_id,
        }
        for denied in message.permission_denials or ():
            found = plain(denied)
            name = found.get("tool_name") if isinstance(found, dict) else found
            self.task.line(f"denied: {name}", level="warning", denied=found)
        # The usage of the session so far: an agent's report is a sum, and a later one with the same id completes it.
        payload = {"status": "running", "message": "answered", **_sums(self._result)}
        payload |= {"gen_ai.operation.name": "invoke_agent", "response_id": message.session_id}
        self.task.event("status", None, None, payload)

    # hooks

    def _on_UserPromptSubmit(self, given: Mapping[str, Any]) -> None:
        self.prompt(str(given.get("prompt") or ""))

    def _on_PreToolUse(self, given: Mapping[str, Any]) -> None:
        agent_id, tool_id = given.get("agent_id"), given["tool_use_id"]
        call = self._calls.get(self.tools.starter_of(agent_id))
        if call is not None:
            # The model waits for the tool.
            call.end()
        self._times.setdefault(tool_id, time.time())
        self.tools.start(tool_id, given["tool_name"], given.get("tool_input"), self.tools.place_of(agent_id))

    def _on_PostToolUse(self, given: Mapping[str, Any]) -> None:
        self._on_PreToolUse(given)
        self.tools.end(given["tool_use_id"], given.get("tool_response"), arguments=given.get("tool_input"))

    def _on_PostToolUseFailure(self, given: Mapping[str, Any]) -> None:
        self._on_PreToolUse(given)
        code = "interrupted" if given.get("is_interrupt") else "tool error"
        error = {"error_code": code, "message": str(given.get("error") or "the tool failed")}
        self.tools.end(given["tool_use_id"], None, error, given.get("tool_input"))

    def _on_SubagentStart(self, given: Mapping[str, Any]) -> None:
        self.tools.agent_started(given["agent_id"], str(given.get("agent_type") or "subagent"))

    def _on_SubagentStop(self, given: Mapping[str, Any]) -> None:
        self._end_call(self.tools.starter_of(given["agent_id"]) or given["agent_id"])
        self.tools.agent_ended(given["agent_id"], given.get("last_assistant_message"))

    def _on_Notification(self, given: Mapping[str, Any]) -> None:
        self.task.line(str(given.get("message") or "notification"), notification=given.get("notification_type"))

    def _on_PreCompact(self, given: Mapping[str, Any]) -> None:
        self.task.line(f"compacts the conversation ({given.get('trigger')})")

    def _call(self, parent: str | None, message_id: str | None, model: str) -> Call:
        """Return the open call of an answer. Another answer of the same agent ends the call before it."""
        call = self._calls.get(parent)
        if call is not None and call.message_id == message_id and message_id is not None:
            return call
        self._end_call(parent)
        call = Call(self.task, parent, message_id, model, self._times.get(parent, time.time()))
        self._calls[parent] = call
        return call

    def _end_call(self, parent: str | None) -> None:
        call = self._calls.pop(parent, None)
        if call is not None:
            call.end()
            self._times[parent] = call.ended_at

    def _tool_blocks(self, blocks: list[dict[str, Any]], place: str | None) -> None:
        for block in blocks:
            if block["type"] == "tool_use":
                self._times.setdefault(block["id"], time.time())
                self.tools.start(block["id"], block["name"], block["input"], place)
            elif block["type"] == "tool_result":
                failed = {"error_code": "tool error", "message": _text(block["content"])} if block["is_error"] else None
                self.tools.end(block["tool_use_id"], block["content"], failed)

    def _label(self, **labels: Any) -> None:
        new = {name: value for name, value in labels.items() if value and self._labels.get(name) != value}
        if new:
            self._labels |= new
            self.task.event("tags_changed", None, None, {"tags": new})


def _sums(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name not in ("subtype", "result", "session_id") and value}


def _text(content: Any) -> str:
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(text for text in texts if isinstance(text, str)) or "the tool failed"
    return str(content or "the tool failed")
