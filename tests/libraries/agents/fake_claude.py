"""The command of Claude in this process: the SDK talks to it over its control protocol, without an account."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from typing import Any

from claude_agent_sdk import Transport

Script = Callable[["FakeClaude", str], Awaitable[None]]
SESSION = "5a2f7c1e-9d0b-4a53-8f11-2f6f6a0c9d77"


class FakeClaude(Transport):
    """Runs `script` for each prompt. Its methods send what the command sends, and return what the SDK answers.

    `decisions` has the answers to its requests for permission, and `closed` is set when the SDK has closed it.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._sent: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._hooks: dict[str, list[str]] = {}
        self._numbers = count(1)
        self._scripts: list[asyncio.Task[None]] = []
        self.decisions: list[dict[str, Any]] = []
        self.closed = asyncio.Event()

    # the interface of a transport

    async def connect(self) -> None:
        self.closed.clear()

    async def write(self, data: str) -> None:
        message = json.loads(data)
        if message["type"] == "control_request":
            if message["request"]["subtype"] == "initialize":
                for event, matchers in (message["request"].get("hooks") or {}).items():
                    self._hooks[event] = [each for matcher in matchers for each in matcher["hookCallbackIds"]]
            response = {"subtype": "success", "request_id": message["request_id"], "response": {}}
            await self._sent.put({"type": "control_response", "response": response})
        elif message["type"] == "control_response":
            response = message["response"]
            self._answers.pop(response["request_id"]).set_result(response)
        elif message["type"] == "user":
            self._scripts.append(asyncio.create_task(self._play(message["message"]["content"])))

    async def _play(self, prompt: str) -> None:
        await self.hook("UserPromptSubmit", prompt=prompt)
        await self._script(self, prompt)

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        while (message := await self._sent.get()) is not None:
            if message.get("type") == "crash":
                raise message["error"]
            yield message

    async def close(self) -> None:
        self.closed.set()
        for script in self._scripts:
            script.cancel()
        await self._sent.put(None)

    def is_ready(self) -> bool:
        return not self.closed.is_set()

    async def end_input(self) -> None:
        await self._sent.put(None)

    # what the command sends

    async def send(self, kind: str, **fields: Any) -> None:
        """Send a message."""
        await self._sent.put({"type": kind, "session_id": SESSION, "uuid": f"u{next(self._numbers)}", **fields})

    async def say(
        self,
        *blocks: str | dict[str, Any],
        parent: str | None = None,
        message_id: str | None = None,
        usage: dict[str, int] | None = None,
        stop_reason: str | None = None,
    ) -> None:
        """Send an answer of the model. A text is a block of text."""
        content = [{"type": "text", "text": block} if isinstance(block, str) else block for block in blocks]
        message = {"id": message_id or f"msg_{next(self._numbers)}", "role": "assistant", "model": "claude-test"}
        tokens = {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 20}
        message |= {"content": content, "usage": usage or tokens, "stop_reason": stop_reason}
        await self.send("assistant", message=message, parent_tool_use_id=parent)

    async def hook(self, event: str, **fields: Any) -> None:
        """Call the hooks of an event."""
        common = {"hook_event_name": event, "session_id": SESSION, "transcript_path": "/srv/t.jsonl", "cwd": "/srv"}
        for callback in self._hooks.get(event, ()):
            await self.request(subtype="hook_callback", callback_id=callback, input={**common, **fields})

    async def may_use(self, tool: str, tool_id: str, tool_input: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """Ask for permission, and return the decision."""
        request = {"tool_name": tool, "input": tool_input, "tool_use_id": tool_id, **fields}
        response = await self.request(subtype="can_use_tool", **request)
        decision: dict[str, Any] = response.get("response") or response
        self.decisions.append(decision)
        return decision

    async def use(
        self,
        tool: str,
        tool_input: dict[str, Any],
        result: Any = "done",
        *,
        error: str | None = None,
        asks: bool = False,
        parent: str | None = None,
        agent: str | None = None,
    ) -> str:
        """Use a tool as the command does: the model's call, the hooks, the permission, and the result."""
        tool_id = f"toolu_{next(self._numbers)}"
        await self.say({"type": "tool_use", "id": tool_id, "name": tool, "input": tool_input}, parent=parent)
        about = {"tool_name": tool, "tool_use_id": tool_id, **({"agent_id": agent} if agent else {})}
        await self.hook("PreToolUse", **about, tool_input=tool_input)
        answer, failed = result, error is not None
        if asks:
            decision = await self.may_use(tool, tool_id, tool_input, agent_id=agent)
            if decision.get("behavior") != "allow":
                await self.give(tool_id, decision["message"], failed=True, parent=parent)
                return tool_id
            tool_input = decision["updatedInput"]
        if failed:
            await self.hook("PostToolUseFailure", **about, tool_input=tool_input, error=error)
            answer = error
        else:
            await self.hook("PostToolUse", **about, tool_input=tool_input, tool_response=result)
        await self.give(tool_id, answer, failed=failed, parent=parent)
        return tool_id

    async def give(self, tool_id: str, content: Any, *, failed: bool = False, parent: str | None = None) -> None:
        """Send the result of a tool."""
        block = {"type": "tool_result", "tool_use_id": tool_id, "content": content, "is_error": failed}
        await self.send("user", message={"role": "user", "content": [block]}, parent_tool_use_id=parent)

    async def finish(self, text: str = "Done.", *, cost: float = 0.0125, failed: bool = False, **fields: Any) -> None:
        """Send the result of a prompt."""
        usage = {"input_tokens": 40, "cache_read_input_tokens": 360, "output_tokens": 80}
        result = {"subtype": "success", "is_error": failed, "result": text, "usage": usage, "num_turns": 2}
        times = {"duration_ms": 900, "duration_api_ms": 700, "total_cost_usd": cost}
        await self.send("result", **{**result, **times, **fields})

    async def crash(self, error: Exception) -> None:
        """End as a process that crashes."""
        await self._sent.put({"type": "crash", "error": error})

    async def request(self, **request: Any) -> dict[str, Any]:
        """Send a control request, and return the response."""
        request_id = f"req_{next(self._numbers)}"
        future = self._answers[request_id] = asyncio.get_running_loop().create_future()
        await self._sent.put({"type": "control_request", "request_id": request_id, "request": request})
        return await future
