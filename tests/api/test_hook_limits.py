"""`POST /api/hooks/{agent}`: no agent takes the places of the others, and a wrong clock hides no later call."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.api.test_hooks import Call, answer, asked, post
from tests.support.agent_payloads import payload
from tests.support.log import task_of
from tests.support.server import Server


def test_a_question_that_finds_no_free_stream_goes_back_to_the_agent(start_server: Callable[..., Server]) -> None:
    server = start_server(max_streams=1)
    first = Call(server, payload("claude-code", "permission_request", "first", tool_input={"command": "make"}))
    request = asked(server, "claude-code-first")
    second = payload("claude-code", "permission_request", "second", tool_input={"command": "make"})
    assert Call(server, second).result() == {}
    answer(server, "claude-code-first", request, approved=True)
    assert first.result()["hookSpecificOutput"]["decision"] == {"behavior": "allow"}


def test_a_call_from_the_future_does_not_hide_the_later_ones(server: Server) -> None:
    post(server, payload("claude-code", "session_start", "clock"), params={"at": time.time() + 86_400})
    post(server, payload("claude-code", "session_end", "clock"), params={"at": time.time(), "kept": 1})
    assert task_of(server.store, "claude-code-clock").status == "done"
