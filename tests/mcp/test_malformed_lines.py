"""`signalbox mcp` with a client that writes malformed lines, and with a server that does not answer."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from typing import Any

import httpx
import pytest

from tests.support.command import environment
from tests.support.server import Server

PING = b'{"jsonrpc":"2.0","id":%d,"method":"ping"}\n'
PARSE_ERROR, INVALID_REQUEST = -32700, -32600


@pytest.mark.long
def test_a_malformed_line_is_answered_and_the_next_ones_are_served(server: Server) -> None:
    lines = {
        b'{"jsonrpc":"2.0","id":1,"method":\n': PARSE_ERROR,
        b"\xff\xfe\n": PARSE_ERROR,
        b"[" * 20_000 + b"\n": PARSE_ERROR,
        b"7\n": INVALID_REQUEST,
        b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]\n': INVALID_REQUEST,
        b'{"jsonrpc":"1.0","id":1,"method":"ping"}\n': INVALID_REQUEST,
    }
    command = [sys.executable, "-m", "signalbox", "mcp", "--server", server.url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        process.stdin.write(b"\n \n")
        for number, (line, code) in enumerate(lines.items()):
            process.stdin.write(line + PING % number)
            process.stdin.flush()
            # The answer to the ping may come first.
            answers = {answer["id"]: answer for answer in (json.loads(process.stdout.readline()) for _ in range(2))}
            assert (set(answers), answers[None]["error"]["code"]) == ({None, number}, code), line[:80]
            assert "the line is not" in answers[None]["error"]["message"]
        rest, errors = process.communicate()
        watchdog.cancel()
    assert (rest, errors, process.returncode) == (b"", b"", 0)


async def test_a_server_that_stays_silent_is_an_error_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from mcp.server.mcpserver.exceptions import ToolError

    from signalbox.store.redaction.rules import Redaction
    from signalbox.webapp.mcp import console, consoles

    async def report(*_: Any) -> None:
        raise AssertionError("nothing to report")

    with socket.create_server(("127.0.0.1", 0)) as silent:
        make = consoles.of_server(f"http://127.0.0.1:{silent.getsockname()[1]}", None, Redaction(""))
        sent: list[httpx.Request] = []
        opened = make(None, report)
        opened._client.event_hooks["request"] = [lambda request: _keep(sent, request)]
        monkeypatch.setattr(console, "ANSWER_S", 0.1)
        with pytest.raises(ToolError, match="accepted the request, but did not answer within 0 s"):
            await opened.get("/api/tasks", dict)
        monkeypatch.setattr(console, "ANSWER_S", 0.6)
        with pytest.raises(ToolError, match="did not answer within 1 s"):
            await opened.get("/api/wait", dict, timeout=0.2)
    reads = [request.extensions["timeout"]["read"] for request in sent]
    assert reads == [0.1, pytest.approx(0.8)]


async def _keep(sent: list[httpx.Request], request: httpx.Request) -> None:
    sent.append(request)


def test_no_request_waits_longer_than_the_server_may_take() -> None:
    from signalbox.webapp.mcp.console import ANSWER_S

    assert 35 < ANSWER_S < 40
