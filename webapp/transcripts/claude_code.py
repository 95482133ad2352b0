"""Transcripts of Claude Code: the files of `~/.claude/projects/`.

A line is a message, or a note that Claude Code keeps for itself. An answer of the model has a line for each block of
its content; these lines share the id of the message. A subagent has lines with `isSidechain`, in the same file or in
`agent-….jsonl`; they belong to the call of the tool with its prompt or its `agentId`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from signalbox.webapp.transcripts.lines import Line, list_in, object_in, text_in, without
from signalbox.webapp.transcripts.model_calls import TranscriptCall
from signalbox.webapp.transcripts.sidechains import UNCALLED, Sidechains, is_sidechain
from signalbox.webapp.transcripts.transcript_run import SESSION, Clock, TranscriptRun

AGENT = "claude-code"

BOOKKEEPING = frozenset(
    (
        *("file-history-snapshot", "progress", "queue-operation", "last-prompt", "permission-mode", "summary"),
        *("custom-title", "ai-title", "agent-name", "mode"),
    )
)
"""Types of lines that say nothing about the run that a reader misses, or that repeat other lines."""

KNOWN = frozenset(
    (
        *("type", "uuid", "parentUuid", "timestamp", "sessionId", "isSidechain", "userType", "cwd", "version"),
        *("gitBranch", "message", "toolUseResult", "requestId", "isMeta", "agentId", "isCompactSummary", "slug"),
        *("isApiErrorMessage", "sourceToolAssistantUUID", "sourceToolUseID", "entrypoint", "level", "content"),
    )
)
_KNOWN_IN_MESSAGE = frozenset({"id", "type", "role", "model", "content", "usage", "stop_reason", "stop_sequence"})
_TAG = re.compile(r"<(command-name|command-args|command-message|local-command-stdout|bash-input)>")
_INTERRUPTED = "[Request interrupted by user"
_REFUSED = "The user doesn't want to"
_SYNTHETIC = "<synthetic>"


def claude_code_run(session_id: str, lines: Iterable[Line]) -> TranscriptRun:
    """Return the run of a session, from the lines of its file and of the files of its subagents."""
    return _Reader(session_id, list(lines)).run


class _Reader:
    def __init__(self, session_id: str, lines: list[Line]) -> None:
        self.run = TranscriptRun(AGENT, session_id)
        self._sidechains = Sidechains(lines)
        self._calls: dict[str, TranscriptCall] = {}
        self._before: dict[str, str] = {}
        self._uncalled: dict[str, tuple[str, str]] = {}
        clock = Clock(lines)
        for self.run.place, line in enumerate(lines, 1):
            self._line(line, clock.read(line.fields.get("timestamp")))
        for call in self._calls.values():
            call.write(self.run)
        for span, (first, last) in self._uncalled.items():
            named = {"work_item_id": "subagent", "work_type": "subagent"}
            self.run.add("work_item_start", first, named, key=f"{span}:start", span=span, parent=SESSION)
            self.run.add("work_item_complete", last, named, key=f"{span}:end", span=span, parent=SESSION)

    def _line(self, line: Line, at: str) -> None:
        fields, run = line.fields, self.run
        for name, known in (("cwd", "cwd"), ("git_branch", "gitBranch"), ("version", "version")):
            run.metadata[name] = run.metadata.get(name) or text_in(fields, known)
        parent = self._sidechains.span_of(line) or SESSION
        if parent.startswith(UNCALLED):
            self._uncalled[parent] = (self._uncalled.get(parent, (at, at))[0], at)
        if line.kind in BOOKKEEPING:
            run.left_out += 1
        elif line.kind == "assistant" and fields.get("message"):
            self._assistant(line, at, parent)
        elif line.kind == "user" and fields.get("message"):
            self._user(line, at, parent)
        elif line.kind == "system":
            level = {"warning": "warning", "error": "error"}.get(text_in(fields, "level"), "info")
            said = _plain(fields.get("content")) or text_in(fields, "subtype") or "system"
            payload = {"message": said, "level": level, "transcript": without(fields, KNOWN) or None}
            run.add("log", at, payload, key=_key(line), span=parent)
        else:
            kind = re.sub(r"[^a-z0-9]+", "_", line.kind.lower()) or "line"
            run.add(f"claude_code_{kind}"[:200], at, {"transcript": dict(fields)}, key=_key(line), span=parent)

    # what the model says

    def _assistant(self, line: Line, at: str, parent: str) -> None:
        message = object_in(line.fields, "message")
        model = text_in(message, "model")
        parts = _blocks(message.get("content"))
        if model == _SYNTHETIC or line.fields.get("isApiErrorMessage") is True:
            said = {"message": _plain(parts) or "error", "level": "error"}
            self.run.add("log", at, said, key=_key(line), span=parent)
            return
        name = text_in(message, "id") or text_in(line.fields, "uuid") or line.digest
        call = self._calls.get(name)
        if call is None:
            call = self._calls[name] = TranscriptCall(name, self._before.get(parent, at), at, parent, model)
        call.response_id, call.stop_reason = name, text_in(message, "stop_reason") or call.stop_reason
        call.rest |= without(line.fields, KNOWN) | without(message, _KNOWN_IN_MESSAGE)
        usage = object_in(message, "usage")
        if usage:
            call.usage = _larger(call.usage or {}, usage)
        for block in parts:
            is_tool = block.get("type") in ("tool_use", "server_tool_use")
            call.say(block, at, self.run.place, ends=is_tool)
            if is_tool:
                self._tool_use(block, at, parent)

    def _tool_use(self, block: Mapping[str, Any], at: str, parent: str) -> None:
        call_id = text_in(block, "id")
        payload = {
            "tool_name": text_in(block, "name") or "tool",
            "tool_call_id": call_id,
            "arguments": block.get("input"),
            "status": "running",
        }
        span = f"tool-{call_id}"
        self.run.add("tool_status", at, payload, key=f"{span}:start", span=span, parent=parent)

    # what the model is told

    def _user(self, line: Line, at: str, parent: str) -> None:
        self._before[parent] = at
        fields, content = line.fields, object_in(line.fields, "message").get("content")
        said: list[Any] = []
        for block in _blocks(content):
            if block.get("type") == "tool_result":
                self._tool_result(line, block, at)
            else:
                said.append(block)
        text, rest = _plain(said), without(fields, KNOWN)
        extra = {"transcript": rest} if rest else {}
        if not said:
            return
        if fields.get("isMeta") is True or _tagged(text) or text.startswith(_INTERRUPTED):
            shown = {"message": _spoken(text), "level": "warning" if text.startswith(_INTERRUPTED) else "debug"}
            self.run.add("log", at, shown | extra, key=_key(line), span=parent)
        elif fields.get("isCompactSummary") is True:
            self.run.add("system_message", at, {"message": text, **extra}, key=_key(line), span=parent)
        else:
            if parent == SESSION and not is_sidechain(line):
                self.run.name_after(text)
            more = {} if all(block.get("type") == "text" for block in said) else {"content": said}
            self.run.add("user_message", at, {"message": text} | more | extra, key=_key(line), span=parent)

    def _tool_result(self, line: Line, block: Mapping[str, Any], at: str) -> None:
        call_id = text_in(block, "tool_use_id")
        result = _plain(_blocks(block.get("content"))) or block.get("content")
        payload: dict[str, Any] = {
            "tool_name": self._sidechains.tool_names.get(call_id, "tool"),
            "tool_call_id": call_id,
            "result": result,
            "status": "done",
        }
        details = line.fields.get("toolUseResult")
        if isinstance(details, Mapping):
            payload["details"] = dict(details)
        if block.get("is_error") is True:
            said = result if isinstance(result, str) else ""
            code = "denied" if said.startswith(_REFUSED) else "tool_failed"
            payload |= {"status": "failed", "error_code": code, "message": said[:2000]}
        span = f"tool-{call_id}"
        self.run.add("tool_result", at, payload, key=f"{span}:end", span=span)


def _key(line: Line) -> str:
    return f"line:{text_in(line.fields, 'uuid') or line.digest}"


def _blocks(content: Any) -> list[dict[str, Any]]:
    """Return the blocks of a message, without the bytes of its pictures."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return [_without_bytes(block) for block in list_in(content) if isinstance(block, dict)]


def _without_bytes(block: dict[str, Any]) -> dict[str, Any]:
    source = block.get("source")
    if not isinstance(source, dict) or not isinstance(source.get("data"), str):
        return block
    return {**block, "source": {**source, "data": f"({len(source['data']):,} characters of base64)"}}


def _plain(content: Any) -> str:
    """Return the text of blocks, or "" if there is none."""
    if isinstance(content, str):
        return content
    blocks = [block for block in list_in(content) if isinstance(block, dict)]
    texts = [block.get("text") for block in blocks if block.get("type") == "text"]
    return "\n\n".join(text for text in texts if isinstance(text, str))


def _tagged(text: str) -> list[tuple[str, str]]:
    """Return the tags of a note of the terminal, each with the text in it."""
    found, at, unclosed = [], 0, set()
    while tag := _TAG.search(text, at):
        name, at = tag[1], tag.end()
        # Each name is looked for only once in vain, so the time grows with the length of the text and no faster.
        end = -1 if name in unclosed else text.find(f"</{name}>", at)
        if end < 0:
            unclosed.add(name)
        else:
            found.append((name, text[at:end]))
            at = end + len(f"</{name}>")
    return found


def _spoken(text: str) -> str:
    """Return a note of the terminal without its tags: `/model opus` for a command, and what it printed."""
    found = {name: inside.strip() for name, inside in _tagged(text)}
    if "command-name" in found:
        return f"{found['command-name']} {found.get('command-args', '')}".strip()
    return "\n".join(filter(None, found.values())) or text


def _larger(known: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a usage of which each number is the larger one: the lines of an answer repeat and complete it."""
    merged = {**known, **given}
    for name, value in known.items():
        other = given.get(name)
        if isinstance(value, int) and isinstance(other, int):
            merged[name] = max(value, other)
    return merged
