"""A session of the Claude Agent SDK that asks for permission on Signalbox. Needs no network and no account.

signalbox serve &
pip install claude-agent-sdk
python examples/integrations/claude_agent_fix.py

`Rehearsal` stands for the command of Claude and speaks its control protocol. Without `transport=` the program talks to
Claude itself. It waits until somebody answers on the page of the run. That person may change the command.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

from claude_agent_sdk import AssistantMessage, ClaudeAgentOptions, TextBlock, Transport

from signalbox.integrations.claude_agent import query

PROMPT = "The test of the parser fails since yesterday. Find out why, and clean up the old build."
REVIEW = {"subagent_type": "code-reviewer", "description": "Review the parser", "prompt": "Why does `test_dates` fail?"}


class Rehearsal(Transport):
    """Plays a short session: two tools, a subagent, and a command that needs permission."""

    def __init__(self) -> None:
        self._sent: asyncio.Queue[Any] = asyncio.Queue()
        self._responses: dict[str, asyncio.Future[Any]] = {}
        self._hooks: dict[str, list[str]] = {}
        self._numbers = count(1)

    async def connect(self) -> None:
        """There is nothing to connect."""

    async def write(self, data: str) -> None:
        """Take a message of the SDK."""
        message = json.loads(data)
        if message["type"] == "control_request":
            for event, matchers in (message["request"].get("hooks") or {}).items():
                self._hooks[event] = [one for matcher in matchers for one in matcher["hookCallbackIds"]]
            answer = {"subtype": "success", "request_id": message["request_id"], "response": {}}
            self._sent.put_nowait({"type": "control_response", "response": answer})
        elif message["type"] == "control_response":
            self._responses.pop(message["response"]["request_id"]).set_result(message["response"].get("response"))
        else:
            self._session = asyncio.create_task(self._play())

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the messages of the session."""
        while (message := await self._sent.get()) is not None:
            yield message

    async def close(self) -> None:
        """End the messages."""
        self._sent.put_nowait(None)

    async def end_input(self) -> None:
        """End the messages after the last answer."""
        self._sent.put_nowait(None)

    def is_ready(self) -> bool:
        """Say that messages can be sent."""
        return True

    async def _play(self) -> None:
        await self._say("I start with the test.", seconds=0.5)
        await self._use(
            "Read", {"file_path": "tests/test_parser.py"}, "def test_dates(): assert parse('1 Feb') == (2, 1)"
        )
        await self._delegate()
        await self._say("The reviewer is right. I remove the old build before I run the test again.", seconds=0.6)
        await self._use("Bash", {"command": "rm -r build dist"}, "", asks=True)
        await self._use("Bash", {"command": "pytest -q tests/test_parser.py"}, "4 passed in 0.31s")
        await self._say("`parse` took the **month first** since the last release. The test passes now.", seconds=0.7)
        usage = {"input_tokens": 310, "cache_read_input_tokens": 9480, "output_tokens": 420}
        times = {"duration_ms": 9000, "duration_api_ms": 4000, "num_turns": 6, "total_cost_usd": 0.0231}
        await self._send("result", subtype="success", is_error=False, result="Done.", usage=usage, **times)

    async def _delegate(self) -> None:
        call = f"toolu_{next(self._numbers)}"
        await self._say({"type": "tool_use", "id": call, "name": "Task", "input": REVIEW}, seconds=0.4)
        about = {"tool_name": "Task", "tool_use_id": call, "tool_input": REVIEW}
        await self._hook("PreToolUse", **about)
        await self._hook("SubagentStart", agent_id="review-1", agent_type="code-reviewer")
        await self._use(
            "Grep", {"pattern": "strptime", "path": "src"}, "src/parser.py:41", parent=call, agent="review-1"
        )
        found = "`strptime` in line 41 reads the day as the month."
        await self._say(found, parent=call, seconds=0.5)
        await self._hook("SubagentStop", agent_id="review-1", agent_type="code-reviewer", last_assistant_message=found)
        await self._hook("PostToolUse", **about, tool_response=found)
        await self._give(call, found)

    async def _use(
        self,
        tool: str,
        given: dict[str, Any],
        result: str,
        *,
        asks: bool = False,
        parent: str | None = None,
        agent: str | None = None,
    ) -> None:
        call = f"toolu_{next(self._numbers)}"
        await self._say({"type": "tool_use", "id": call, "name": tool, "input": given}, parent=parent, seconds=0.3)
        about = {"tool_name": tool, "tool_use_id": call, "agent_id": agent}
        await self._hook("PreToolUse", **about, tool_input=given)
        if asks:
            reason = {"decision_reason": "it deletes files"}
            answer = await self._request(subtype="can_use_tool", input=given, **about, **reason)
            if answer["behavior"] == "deny":
                return await self._give(call, answer["message"], parent=parent, failed=True)
            given = answer["updatedInput"]
        await asyncio.sleep(0.4)
        await self._hook("PostToolUse", **about, tool_input=given, tool_response=result)
        return await self._give(call, result, parent=parent)

    async def _say(self, block: str | dict[str, Any], *, parent: str | None = None, seconds: float = 0.0) -> None:
        await asyncio.sleep(seconds)
        content = [{"type": "text", "text": block} if isinstance(block, str) else block]
        usage = {"input_tokens": 40, "cache_read_input_tokens": 1500, "output_tokens": 35}
        message = {"id": f"msg_{next(self._numbers)}", "model": "claude-rehearsal", "content": content, "usage": usage}
        await self._send("assistant", message=message, parent_tool_use_id=parent)

    async def _give(self, call: str, content: str, *, parent: str | None = None, failed: bool = False) -> None:
        block = {"type": "tool_result", "tool_use_id": call, "content": content, "is_error": failed}
        await self._send("user", message={"role": "user", "content": [block]}, parent_tool_use_id=parent)

    async def _hook(self, event: str, **fields: Any) -> None:
        given = {"hook_event_name": event, "session_id": "rehearsal", **fields}
        for callback in self._hooks.get(event, ()):
            await self._request(subtype="hook_callback", callback_id=callback, input=given)

    async def _request(self, **request: Any) -> Any:
        request_id = f"request-{next(self._numbers)}"
        response = self._responses[request_id] = asyncio.get_running_loop().create_future()
        await self._sent.put({"type": "control_request", "request_id": request_id, "request": request})
        return await response

    async def _send(self, kind: str, **fields: Any) -> None:
        await self._sent.put({"type": kind, "session_id": "rehearsal", "uuid": f"u{next(self._numbers)}", **fields})


async def main() -> None:
    """Run the session, and print what Claude says. An argument is the number of seconds to wait for an answer."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else None
    options = ClaudeAgentOptions(permission_mode="default")
    async for message in query(prompt=PROMPT, options=options, transport=Rehearsal(), timeout=seconds):
        if isinstance(message, AssistantMessage):
            print(*(block.text for block in message.content if isinstance(block, TextBlock)))


if __name__ == "__main__":
    asyncio.run(main())
