"""The subagents of Claude Code: which call of a tool a line of a subagent belongs to."""

from __future__ import annotations

from collections.abc import Iterable

from signalbox.webapp.transcripts.lines import Line, list_in, object_in, text_in

UNCALLED = "subagent-"
"""The beginning of the span of a subagent whose tool call is not in the transcript."""


class Sidechains:
    """The subagents in the lines of a session.

    A subagent is the chain of its lines, by `agentId` or else by `parentUuid`. It belongs to the tool call whose result
    has its `agentId`, else to the one with its first message as the prompt.
    """

    def __init__(self, lines: Iterable[Line]) -> None:
        self.tool_names: dict[str, str] = {}
        self._spans: dict[str, str] = {}
        self._roots: dict[str, str] = {}
        prompts: dict[str, list[str]] = {}
        agents: dict[str, str] = {}
        listed = list(lines)
        for line in listed:
            self._read(line, prompts, agents)
        for line in listed:
            if not is_sidechain(line):
                continue
            root = self._root_of(line)
            if root in self._spans:
                continue
            agent_id = text_in(line.fields, "agentId")
            said = _first_text(line)
            call_id = agents.get(agent_id) or (prompts[said].pop(0) if prompts.get(said) else "")
            self._spans[root] = f"tool-{call_id}" if call_id else f"{UNCALLED}{root}"

    def span_of(self, line: Line) -> str | None:
        """Return the span of a subagent to which a line belongs: that of its tool call, else one of its own."""
        return self._spans.get(self._root_of(line)) if is_sidechain(line) else None

    def _root_of(self, line: Line) -> str:
        fields = line.fields
        if agent_id := text_in(fields, "agentId"):
            return agent_id
        uuid, above = text_in(fields, "uuid"), text_in(fields, "parentUuid")
        root = self._roots.get(uuid) or self._roots.get(above) or uuid
        self._roots[uuid] = root
        return root

    def _read(self, line: Line, prompts: dict[str, list[str]], agents: dict[str, str]) -> None:
        content = object_in(line.fields, "message").get("content")
        for block in content if isinstance(content, list) else ():
            if not isinstance(block, dict):
                continue
            if block.get("type") == "tool_use" and (call_id := text_in(block, "id")):
                self.tool_names[call_id] = text_in(block, "name") or "tool"
                if prompt := text_in(block, "input", "prompt").strip():
                    prompts.setdefault(prompt, []).append(call_id)
            elif block.get("type") == "tool_result" and (agent_id := text_in(line.fields, "toolUseResult", "agentId")):
                agents.setdefault(agent_id, text_in(block, "tool_use_id"))


def is_sidechain(line: Line) -> bool:
    """Return whether a line is one of a subagent."""
    return line.fields.get("isSidechain") is True


def _first_text(line: Line) -> str:
    content = object_in(line.fields, "message").get("content")
    if isinstance(content, str):
        return content.strip()
    texts = [text_in(block, "text") for block in list_in(content) if isinstance(block, dict)]
    return "\n".join(filter(None, texts)).strip()
