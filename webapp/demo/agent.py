"""The demo of a conversation: an agent that reviews a module of the standard library.

Its tools are real. Its answers are written in advance, because a demo needs no language model.
"""

from __future__ import annotations

import ast
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from signalbox.store import Event, Run, open_task
from signalbox.store.emitter import PhaseStep, WorkItemStep
from signalbox.store.log import Log
from signalbox.webapp.demo.survey import library

MODEL = "scripted-1"
MODULE = "json/decoder.py"
SYSTEM = "You review Python modules. Use the tools, and base every statement on what they return."
QUESTION = f"Which function in `{MODULE}` should be simplified first, and why?"
PLAN = f"I look at `{MODULE}` first. Then I measure its functions, and ask another agent to check the result."

Messages = list[dict[str, Any]]
Scope = PhaseStep[Event] | WorkItemStep[Event]


def converse(
    log: Log,
    *,
    pace: float = 0.05,
    task_id: str | None = None,
    root: Path | None = None,
    stopping: threading.Event | None = None,
) -> str:
    """Review one module as a task. `pace` are the seconds between two words. Returns the last answer.

    Once `stopping` is set, the task is cancelled, and KeyboardInterrupt is raised.
    """
    with open_task(log, task_id, title=f"Review of {MODULE}", kind="review") as task:
        return Reviewer(task, root or library(), pace, stopping or threading.Event()).run()


class Reviewer:
    """The agent: its messages so far, and its tools."""

    def __init__(self, task: Run[Event], root: Path, pace: float, stopping: threading.Event) -> None:
        self._task, self._pace, self._stopping = task, pace, stopping
        self._source = (root / MODULE).read_text()
        self._messages: Messages = [_message("system", SYSTEM), _message("user", QUESTION)]

    def run(self) -> str:
        """Read, measure, have the result checked, and answer."""
        with self._task.phase("executing") as phase:
            self._say(phase, PLAN, "read_lines", {"path": MODULE, "first": 1, "last": 12})
            self._use(phase, "read_lines", "\n".join(self._source.splitlines()[:12]))
            self._say(phase, "It is parsed by hand. I measure every function.", "measure", {"path": MODULE})
            measured = sorted(_functions(self._source), key=lambda one: int(one["branches"]), reverse=True)[:5]
            self._use(phase, "measure", measured)
            worst = measured[0]
            checked = self._check(phase, str(worst["function"]), int(worst["branches"]))
            rows = "\n".join(f"| `{one['function']}` | {one['lines']} | {one['branches']} |" for one in measured)
            answer = (
                f"**`{worst['function']}`** has the most branches, and the check agrees: {checked}\n\n"
                f"| function | lines | branches |\n|---|---|---|\n{rows}\n"
            )
            self._say(phase, answer)
        return answer

    def _say(self, at: Scope, text: str, tool: str = "", arguments: dict[str, Any] | None = None) -> None:
        calls = [_tool_call(tool, arguments, len(self._messages))] if tool else []
        with at.llm_call(MODEL, self._messages, name=f"call-{len(self._messages)}") as call:
            for word in re.findall(r"\S+\s*", text):
                call.piece(word)
                if self._stopping.wait(self._pace):
                    raise KeyboardInterrupt
            call.answer(
                text, tool_calls=calls, usage={"input_tokens": _size(self._messages), "output_tokens": _size(text)}
            )
        self._messages = [*self._messages, {**_message("assistant", text), **({"tool_calls": calls} if calls else {})}]

    def _use(self, at: Scope, tool: str, result: Any) -> None:
        call = self._messages[-1]["tool_calls"][0]
        with at.tool(tool, json.loads(call["function"]["arguments"]), tool_call_id=call["id"]) as used:
            used.result(result=result)
        content = result if isinstance(result, str) else json.dumps(result)
        self._messages = [*self._messages, {**_message("tool", content), "tool_call_id": call["id"]}]

    def _check(self, at: Scope, function: str, branches: int) -> str:
        asked = f"Does `{function}` really have {branches} branches? Count them again."
        with at.work_item("checker", "agent") as checker:
            again = next(one for one in _functions(self._source) if one["function"] == function)
            answer = f"I count {again['branches']} branches in {again['lines']} lines."
            with checker.llm_call(MODEL, [_message("user", asked)], name="check") as call:
                call.answer(answer, usage={"input_tokens": _size(asked), "output_tokens": _size(answer)})
        return answer


def _functions(source: str) -> Iterator[dict[str, str | int]]:
    branching = (ast.If, ast.For, ast.While, ast.Try, ast.BoolOp, ast.IfExp)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            branches = sum(isinstance(inner, branching) for inner in ast.walk(node))
            yield {
                "function": node.name,
                "lines": (node.end_lineno or node.lineno) - node.lineno + 1,
                "branches": branches,
            }


def _message(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


def _tool_call(name: str, arguments: dict[str, Any] | None, number: int) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments or {})}
    return {"id": f"call_{number}", "type": "function", "function": function}


def _size(said: object) -> int:
    """Return the number of words, which stands for the tokens."""
    return len(str(said).split())
