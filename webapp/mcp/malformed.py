"""Answers lines of a client that are no JSON, or no message of JSON-RPC. The library drops them without an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp_types as types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError


@asynccontextmanager
async def answering_malformed(read: Any, write: Any) -> AsyncIterator[Any]:
    """Yield a stream with the messages of `read`. For each malformed line an error is sent to `write`."""
    send, receive = anyio.create_memory_object_stream[SessionMessage](0)

    async def forward() -> None:
        async with send:
            async for item in read:
                try:
                    if not isinstance(item, Exception):
                        await send.send(item)
                    elif (answer := _answer(item)) is not None:
                        await write.send(SessionMessage(answer))
                except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                    return  # The server has ended.

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(forward)
        yield receive
        tasks.cancel_scope.cancel()


def _answer(error: Exception) -> types.JSONRPCError | None:
    """Return the answer to a line that cannot be read; None to an empty line."""
    code, message = types.PARSE_ERROR, "the line is not valid JSON"
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        if first["type"] != "json_invalid":
            code, message = types.INVALID_REQUEST, "the line is not a request, notification or response of JSON-RPC 2.0"
        elif isinstance(first["input"], str) and not first["input"].strip():
            return None
        else:
            message = f"{message}: {first['ctx']['error']}"
    return types.JSONRPCError(jsonrpc="2.0", id=None, error=types.ErrorData(code=code, message=message))
