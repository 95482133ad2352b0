"""Payloads of several kinds and sizes, with texts of Python's standard library in place of those of a run."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

Payload = dict[str, Any]

MIN_SOURCE = 4000
"""Characters of the shortest module of which pieces are taken."""


def payloads(kind: str, number: int, seed: int = 1) -> Iterator[Payload]:
    """Yield `number` payloads of one of `KINDS`, the same for the same seed."""
    chance, make = random.Random(seed), KINDS[kind]
    for _ in range(number):
        yield make(chance)


def _log_line(chance: random.Random) -> Payload:
    minute, second, ms = chance.randrange(60), chance.randrange(60), chance.randrange(1000)
    took = f"batch {chance.randrange(10**6)} in {chance.random() * 90:.1f} ms"
    text = f"2026-11-27 16:{minute:02}:{second:02},{ms:03} INFO worker.{chance.randrange(9)} processed {took}"
    return {"message": text, "stream": "stdout"}


def _tool_call(chance: random.Random) -> Payload:
    return {
        "tool_name": chance.choice(["Read", "Bash", "Grep", "Edit"]),
        "tool_use_id": f"toolu_{_hex(chance, 24)}",
        "input": {"file_path": f"/srv/project/src/{_hex(chance, 6)}.py", "offset": chance.randrange(900)},
        "result": _piece(chance, chance.randrange(600, 3400)),
        "is_error": False,
        "duration_ms": chance.randrange(5000),
    }


def _span(chance: random.Random) -> Payload:
    answer = f'[{{"role":"assistant","parts":[{{"type":"text","content":"{_hex(chance, 4)}"}}]}}]'
    return {
        "name": "chat m",
        "kind": "client",
        "trace_id": _hex(chance, 32),
        "span_id": _hex(chance, 16),
        "parent_span_id": _hex(chance, 16),
        "duration_ms": chance.randrange(90_000),
        "attributes": {
            "gen_ai.system": "anthropic",
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.response.model": "claude-sonnet-4-5-20250929",
            "gen_ai.request.max_tokens": 8192,
            "gen_ai.request.temperature": chance.random(),
            "gen_ai.usage.input_tokens": chance.randrange(90_000),
            "gen_ai.usage.output_tokens": chance.randrange(4000),
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.response.id": f"msg_{_hex(chance, 24)}",
            "gen_ai.conversation.id": _hex(chance, 32),
            "gen_ai.output.messages": answer + _piece(chance, chance.randrange(100, 1200)),
            "server.address": "api.example.com",
            "server.port": 443,
            "http.request.method": "POST",
            "http.response.status_code": 200,
        },
        "resource": {
            "service.name": "agent-backend",
            "service.version": "1.14.2",
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.version": "1.38.0",
            "host.name": f"worker-{_hex(chance, 4)}",
            "process.pid": chance.randrange(60_000),
        },
        "scope": "opentelemetry.instrumentation.anthropic",
    }


def _messages(size: int) -> Callable[[random.Random], Payload]:
    def make(chance: random.Random) -> Payload:
        messages, length = [], 0
        while length < size:
            text = _piece(chance, min(chance.randrange(300, 6000), size - length + 50))
            length += len(text)
            role = chance.choice(["user", "assistant", "tool"])
            messages.append(
                {"id": f"msg_{_hex(chance, 24)}", "role": role, "content": [{"type": "text", "text": text}]}
            )
        usage = {"input_tokens": chance.randrange(90_000), "output_tokens": chance.randrange(4000)}
        return {"model": "claude-sonnet-4-5", "messages": messages, "usage": usage}

    return make


def _piece(chance: random.Random, size: int) -> str:
    text = chance.choice(_texts())
    start = chance.randrange(max(1, len(text) - size))
    return text[start : start + size]


def _hex(chance: random.Random, size: int) -> str:
    return f"{chance.getrandbits(4 * size):0{size}x}"


@cache
def _texts() -> list[str]:
    modules = sorted(Path(os.__file__).parent.glob("*.py"))
    texts = (module.read_text(errors="replace") for module in modules)
    return [text for text in texts if len(text) >= MIN_SOURCE]


KINDS: dict[str, Callable[[random.Random], Payload]] = {
    "log line, 100 bytes": _log_line,
    "tool call, 2 KB": _tool_call,
    "span of OpenTelemetry, 2 KB": _span,
    "messages of a model, 10 KB": _messages(10_000),
    "messages, 50 KB": _messages(50_000),
    "messages, 200 KB": _messages(200_000),
}
