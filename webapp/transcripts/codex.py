"""Transcripts of Codex: the rollout files of `~/.codex/sessions/`.

A line has a `type` and a `payload`. `response_item` lines are what the model said and was told, `event_msg` lines what
the terminal showed, which repeats most of it; `turn_context` has the model. Files of the first versions have the items
of the model alone, without times.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from signalbox.webapp.transcripts.lines import Line, list_in, object_in, text_in, without
from signalbox.webapp.transcripts.model_calls import TranscriptCall
from signalbox.webapp.transcripts.transcript_run import SESSION, Clock, TranscriptRun

AGENT = "codex"

TOOL_CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call", "web_search_call", "tool_search_call"})
TOOL_RESULTS = frozenset({"function_call_output", "custom_tool_call_output", "tool_search_output"})
REPEATED = frozenset(
    (
        *("agent_message", "agent_reasoning", "agent_reasoning_raw_content", "agent_reasoning_section_break"),
        *("exec_command_begin", "exec_command_end", "mcp_tool_call_begin", "mcp_tool_call_end", "patch_apply_begin"),
        *("patch_apply_end", "web_search_begin", "web_search_end", "task_started", "task_complete", "turn_started"),
        *("turn_complete", "turn_diff", "item_started", "item_completed", "raw_response_item"),
    )
)
"""Types of `event_msg` that repeat items of the model, or say nothing that a reader misses."""

_CONTEXT = re.compile(
    r"\s*(?:<(?:environment_context|user_instructions|permissions|INSTRUCTIONS|turn_aborted)|# AGENTS)"
)
_EXIT_CODE = re.compile(r"(?m)^(?:Exit code: |Process exited with code )(-?\d+)")
_KNOWN_ITEM = frozenset({"type", "role", "content", "id", "status", "summary", "encrypted_content", "phase"})


def is_codex(lines: Iterable[Line]) -> bool:
    """Return whether the lines are a transcript of Codex."""
    return any(line.kind in ("session_meta", "response_item") or _is_old_head(line.fields) for line in lines)


def session_meta(lines: Iterable[Line]) -> Mapping[str, Any]:
    """Return the description of the session, or an empty object."""
    for line in lines:
        if line.kind == "session_meta":
            return object_in(line.fields, "payload")
        if _is_old_head(line.fields):
            return line.fields
    return {}


def codex_run(session_id: str, lines: Iterable[Line], subagents: Mapping[str, Iterable[Line]]) -> TranscriptRun:
    """Return the run of a session. `subagents` are the lines of the sessions that it started, by their ids."""
    run = TranscriptRun(AGENT, session_id)
    listed = list(lines)
    reader = _Reader(run, listed, SESSION)
    for child, more in subagents.items():
        caller = next((span for span, result in reader.results.items() if child in result), "")
        nested = list(more)
        if not caller:
            caller = f"subagent-{child}"
            clock = Clock(nested)
            times = [clock.read(line.fields.get("timestamp")) for line in nested] or [clock.at]
            named = {"work_item_id": "subagent", "work_type": "subagent"}
            run.add("work_item_start", min(times), named, key=f"{caller}:start", span=caller, parent=SESSION)
            run.add("work_item_complete", max(times), named, key=f"{caller}:end", span=caller, parent=SESSION)
        _Reader(run, nested, caller)
    return run


class _Reader:
    """Adds the events of one session to a run, below the span `parent`. `results` are texts of results by span."""

    def __init__(self, run: TranscriptRun, lines: list[Line], parent: str) -> None:
        self._run, self._parent = run, parent
        self.results: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._call: TranscriptCall | None = None
        self._open = False
        self._model = self._before = ""
        self._total: Any = None
        self._shows_prompts = any(text_in(line.fields, "payload", "type") == "user_message" for line in lines)
        meta, clock = session_meta(lines), Clock(lines)
        if parent == SESSION:
            self._describe(meta)
        for run.place, line in enumerate(lines, 1):
            at = clock.read(line.fields.get("timestamp"))
            self._before = self._before or at
            self._line(line, at)
        self._end_call()

    def _describe(self, meta: Mapping[str, Any]) -> None:
        self._run.metadata |= {
            "cwd": text_in(meta, "cwd"),
            "git_branch": text_in(meta, "git", "branch"),
            "commit_hash": text_in(meta, "git", "commit_hash"),
            "version": text_in(meta, "cli_version"),
        }

    def _line(self, line: Line, at: str) -> None:
        payload = object_in(line.fields, "payload")
        if line.kind == "response_item":
            self._item(line, payload, at)
        elif line.kind == "event_msg":
            self._shown(line, payload, at)
        elif line.kind == "turn_context":
            self._model = text_in(payload, "model") or self._model
            self._run.left_out += 1
        elif line.kind == "compacted":
            self._add("system_message", at, {"message": text_in(payload, "message") or "compacted"}, line)
        elif line.kind == "session_meta" or _is_old_head(line.fields) or "record_type" in line.fields:
            self._run.left_out += 1
        elif line.kind and not payload:
            self._item(line, line.fields, at)
        else:
            self._unknown(line, line.kind, at)

    # what the model said and was told

    def _item(self, line: Line, item: Mapping[str, Any], at: str) -> None:
        kind = text_in(item, "type")
        if kind == "message":
            self._message(line, item, at)
        elif kind == "reasoning":
            summary = [text_in(part, "text") for part in list_in(item.get("summary")) if isinstance(part, dict)]
            thought = "\n\n".join(filter(None, summary)) or _text(item.get("content"))
            self._say({"type": "thinking", "thinking": thought}, item, at, line)
        elif kind in TOOL_CALLS:
            self._tool_call(line, item, kind, at)
        elif kind in TOOL_RESULTS:
            self._tool_result(line, item, at)
        else:
            self._unknown(line, kind, at)

    def _message(self, line: Line, item: Mapping[str, Any], at: str) -> None:
        role, text = text_in(item, "role"), _text(item.get("content"))
        if role == "assistant":
            self._say({"type": "text", "text": text}, item, at, line)
        elif role in ("system", "developer") or _CONTEXT.match(text):
            self._add("system_message", at, {"message": text}, line)
        elif self._shows_prompts:
            self._run.left_out += 1
        else:
            self._prompt(line, text, at, {})

    def _prompt(self, line: Line, text: str, at: str, rest: dict[str, Any]) -> None:
        self._end_call()
        self._before = at
        if self._parent == SESSION:
            self._run.name_after(text)
        self._add("user_message", at, {"message": text} | ({"transcript": rest} if rest else {}), line)

    def _say(self, part: dict[str, Any], item: Mapping[str, Any], at: str, line: Line) -> None:
        if self._call is None or not self._open:
            self._end_call()
            self._call, self._open = TranscriptCall(line.digest, self._before, at, self._parent, self._model), True
        self._call.say(part, at, self._run.place, ends=part["type"] == "tool_use")
        if rest := without(item, _KNOWN_ITEM) if text_in(item, "type") not in TOOL_CALLS else {}:
            self._call.rest |= rest

    def _end_call(self) -> None:
        if self._call is not None:
            self._call.write(self._run)
        self._call, self._open = None, False

    def _tool_call(self, line: Line, item: Mapping[str, Any], kind: str, at: str) -> None:
        call_id = text_in(item, "call_id") or text_in(item, "id") or line.digest
        name = text_in(item, "name") or kind.removesuffix("_call")
        given = next((item[key] for key in ("arguments", "input", "action", "execution") if key in item), None)
        arguments = _decoded(given)
        self._names[call_id] = name
        self._say({"type": "tool_use", "id": call_id, "name": name, "input": arguments}, item, at, line)
        span = f"tool-{call_id}"
        payload = {"tool_name": name, "tool_call_id": call_id, "arguments": arguments, "status": "running"}
        self._run.add("tool_status", at, payload, key=f"{span}:start", span=span, parent=self._parent)
        if kind == "web_search_call":
            # The provider runs it, and its result is not in the transcript.
            done = {"tool_name": name, "tool_call_id": call_id, "status": "done"}
            self._run.add("tool_result", at, done, key=f"{span}:end", span=span)

    def _tool_result(self, line: Line, item: Mapping[str, Any], at: str) -> None:
        self._open, self._before = False, at
        call_id = text_in(item, "call_id") or line.digest
        output, exit_code = _output(item.get("output", item.get("tools")))
        span = f"tool-{call_id}"
        named = {"tool_name": self._names.get(call_id, "tool"), "tool_call_id": call_id}
        payload: dict[str, Any] = {**named, "result": output, "status": "done"}
        if exit_code:
            payload |= {"status": "failed", "error_code": f"exit_{exit_code}", "message": f"exit code {exit_code}"}
        if rest := without(item, frozenset({"type", "call_id", "output", "id", "status", "tools"})):
            payload["transcript"] = rest
        self.results[span] = output if isinstance(output, str) else msgspec.json.encode(output).decode()
        self._run.add("tool_result", at, payload, key=f"{span}:end", span=span)

    # what the terminal showed

    def _shown(self, line: Line, payload: Mapping[str, Any], at: str) -> None:
        kind = text_in(payload, "type")
        if kind == "user_message":
            rest = without(payload, frozenset({"type", "message", "kind", "turn_id"}))
            self._prompt(line, text_in(payload, "message"), at, rest)
        elif kind == "token_count":
            self._used(object_in(payload, "info"), at)
        elif kind in ("error", "stream_error", "warning", "turn_aborted"):
            level = "error" if kind == "error" else "warning"
            aborted = f"The turn was {text_in(payload, 'reason') or 'interrupted'}"
            said = aborted if kind == "turn_aborted" else text_in(payload, "message") or kind
            rest = without(payload, frozenset({"type", "message", "reason", "turn_id"}))
            self._add("log", at, {"message": said, "level": level, "transcript": rest or None}, line)
        elif kind in REPEATED:
            self._run.left_out += 1
        else:
            self._unknown(line, kind, at)

    def _used(self, info: Mapping[str, Any], at: str) -> None:
        self._run.left_out += 1
        used, total = object_in(info, "last_token_usage"), info.get("total_token_usage")
        # Codex writes the numbers again when only the limits of the account have changed.
        if not used or total == self._total or self._call is None:
            return
        self._total = total
        names = {
            "input_tokens": "input_tokens",
            "cached_input_tokens": "cache_read_tokens",
            "output_tokens": "output_tokens",
            "reasoning_output_tokens": "reasoning_tokens",
        }
        self._call.usage = {ours: used[theirs] for theirs, ours in names.items() if isinstance(used.get(theirs), int)}
        self._open = False

    def _unknown(self, line: Line, kind: str, at: str) -> None:
        name = re.sub(r"[^a-z0-9]+", "_", kind.lower()) or "line"
        self._add(f"codex_{name}"[:200], at, {"transcript": dict(line.fields)}, line)

    def _add(self, event_type: str, at: str, payload: dict[str, Any], line: Line) -> None:
        self._run.add(event_type, at, payload, key=f"line:{line.digest}", span=self._parent)


def _is_old_head(fields: Mapping[str, Any]) -> bool:
    return "type" not in fields and isinstance(fields.get("id"), str) and "timestamp" in fields


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n\n".join(filter(None, (text_in(part, "text") for part in list_in(content) if isinstance(part, dict))))


def _decoded(value: Any) -> Any:
    """Return the JSON in a text as a value; another text stays."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            return value
    return value


def _output(output: Any) -> tuple[Any, int]:
    """Return the output of a tool, and the exit code that it names, or 0."""
    value = _decoded(output)
    if isinstance(value, Mapping) and "output" in value:
        code = object_in(value, "metadata").get("exit_code")
        return value["output"], code if isinstance(code, int) else 0
    if isinstance(value, Mapping) and "content" in value:
        return value["content"], 1 if value.get("success") is False else 0
    text = value if isinstance(value, str) else _text(value) if isinstance(value, list) else ""
    found = _EXIT_CODE.search(text[:400])
    return (text or value), int(found[1]) if found else 0
