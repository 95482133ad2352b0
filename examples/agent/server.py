"""A small agent server: an ASGI app that refactors a code base with libcst and reports by server-sent events.

    python examples/agent/server.py --port 9100
    curl -d '{"run_id": "r1"}' http://127.0.0.1:9100/runs
    signalbox relay http://127.0.0.1:9100/runs/r1/stream --task refactoring

Kill it in the middle of a run and start it again: the run continues, and so does the relay. If the environment variable
AGENT_TOKEN is set, requests must carry it as a bearer token.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import os
import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
from runs import Message, RefactoringRun

KEEPALIVE = 10.0
"""Seconds without a message after which a comment is sent."""

BREAK = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
"""The line ends of event streams, and further ones that some clients split at."""

RUN_ID = re.compile(r"[A-Za-z0-9_:-][A-Za-z0-9_.:-]{0,127}")
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Refusal(Exception):
    """An error response with this status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Agent:
    """The ASGI app. Each run has a folder in `work`. Runs that have not ended continue when the app starts."""

    def __init__(self, work: Path, pace: float) -> None:
        self.work, self.pace = work, pace
        self.runs: dict[str, RefactoringRun] = {}
        self.working: set[asyncio.Task[None]] = set()
        self.token = os.environ.get("AGENT_TOKEN")

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.live(receive, send)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        try:
            await self.respond(scope["method"], scope["path"], headers, receive, send)
        except Refusal as refusal:
            await reply(send, refusal.status, {"error": {"message": str(refusal)}})

    async def live(self, receive: Receive, send: Send) -> None:
        await receive()
        for folder in sorted(self.work.iterdir()) if self.work.exists() else []:
            self.begin(folder.name)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def respond(self, method: str, path: str, headers: dict[str, str], receive: Receive, send: Send) -> None:
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if self.token and not hmac.compare_digest(given.encode(), self.token.encode()):
            raise Refusal(401, "a bearer token is required")
        match method, path.strip("/").split("/"):
            case "GET", ["health"]:
                await reply(send, 200, {"status": "ok", "runs": len(self.runs)})
            case "POST", ["runs"]:
                run_id = await run_id_in(receive)
                new = run_id not in self.runs
                if new:
                    self.begin(run_id)
                await reply(send, 201 if new else 200, {"run_id": run_id})
            case "GET", ["runs", run_id, "stream"]:
                await stream(self.run(run_id), headers.get("last-event-id", ""), receive, send)
            case "POST", ["runs", run_id, "cancel"]:
                self.run(run_id).cancel()
                await reply(send, 202, {"run_id": run_id})
            case _:
                raise Refusal(404, f"there is nothing at {method} {path}")

    def begin(self, run_id: str) -> None:
        self.runs[run_id] = run = RefactoringRun(self.work / run_id, self.pace)
        task = asyncio.create_task(run.work())
        self.working.add(task)
        task.add_done_callback(self.working.discard)

    def run(self, run_id: str) -> RefactoringRun:
        if run_id not in self.runs:
            raise Refusal(404, f"there is no run {run_id!r}")
        return self.runs[run_id]


async def run_id_in(receive: Receive) -> str:
    """Return the `run_id` in a request's JSON body. Raises Refusal if it is missing or not valid."""
    body, more = b"", True
    while more and len(body) < 4096:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    try:
        run_id = json.loads(body)["run_id"]
    except (ValueError, TypeError, KeyError):
        run_id = None
    if not isinstance(run_id, str) or not RUN_ID.fullmatch(run_id):
        raise Refusal(422, 'the body must be {"run_id": "…"}, 1 to 128 characters of A-Z a-z 0-9 _ . : -')
    return run_id


async def stream(run: RefactoringRun, last_id: str, receive: Receive, send: Send) -> None:
    """Send the run's messages after `last_id`, until it ends or the client disconnects."""
    begin = min(int(last_id), len(run.messages)) if last_id.isascii() and last_id.isdigit() else 0
    headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def send_messages() -> None:
        async for numbered in run.after(begin, KEEPALIVE):
            block = ": keepalive\n\n" if numbered is None else block_of(*numbered)
            await send({"type": "http.response.body", "body": block.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def wait_for_disconnect() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    both = {asyncio.create_task(send_messages()), asyncio.create_task(wait_for_disconnect())}
    _, pending = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def block_of(number: int, message: Message) -> str:
    """Encode a message for the stream. The id is last, so a cut before it makes no client skip the message."""
    data = "".join(f"data: {line}\n" for line in BREAK.split(message.data))
    return f"event: {message.event}\n{data}id: {number}\n\n"


async def reply(send: Send, status: int, body: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--work", type=Path, default=Path("agent-runs"), help="folder of the runs")
    parser.add_argument("--pace", type=float, default=0.3, help="minimum seconds for a step, so that it can be watched")
    given = parser.parse_args()
    listening = socket.create_server(("127.0.0.1", given.port))
    print(f"The agent listens on http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    config = uvicorn.Config(Agent(given.work, given.pace), log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listening])
