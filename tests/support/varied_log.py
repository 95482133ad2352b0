"""A log with everything that reads distinguish, for tests that compare two stores."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from signalbox.store import Event, TaskRecord

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
PHASES = ("planning", "executing", "verifying", "Prüfung")
WORDS = (
    *("Disk full", "ÄRGER am Öresund", "a\u0308rger", "ОШИБКА: нет места", "42% of_it", 'he said "no"', "a\\b\nc"),
    *("nul \x00 inside", "\x1b[31mfai\x1b[0mled to connect", "line\u2028break", "𝄞 clef", "plain text"),
)
LEVELS = ("info", "ERROR", "critical", "debug", None, ["error"], 7)


def record(task_id: str, number: int) -> TaskRecord:
    """Return the task that a log belongs to."""
    return TaskRecord(
        task_id=task_id,
        title=None if number % 5 == 4 else f"Täsk {number} 100%",
        kind=("build", "audit", None)[number % 3],
        metadata={
            "tags": {"branch": "main", "n": number % 2},
            "z": 1,
            "a": {"n": 123456789012345678901234567890, "nul": "\x00"},
        },
        created_at=_at(number * 60),
        main_span_id=f"main-{number}",
    )


def varied_log(task_id: str, size: int, seed: int, *, ended: bool = True) -> Iterator[Event]:
    """Yield `size` events, the same for the same seed: spans, permissions, failures, heartbeats and long texts."""
    choose = random.Random(seed)
    for seq in range(1, size + 1):
        last = seq == size and ended
        event_type, span_id, payload = ("runner_exit", "main", {"exit_code": seed % 2}) if last else _step(choose, seq)
        yield Event(
            event_id=0,
            task_id=task_id,
            seq=seq,
            event_type=event_type,
            phase=choose.choice((*PHASES, None)),
            actor=choose.choice(("runner", "worker", "supervisor")),
            span_id=span_id,
            parent_span_id=None if span_id == "main" else f"span-{int(span_id.split('-')[1]) // 3}",
            payload_json=msgspec.Raw(msgspec.json.encode(payload)),
            created_at=_at(seed * 60 + seq // 2),
            key=f"key-{seq}" if seq % 50 == 0 else None,
            occurred_at=_at(seed * 60 + seq // 2 - 1) if seq % 7 == 0 else msgspec.UNSET,
        )


def _step(choose: random.Random, seq: int) -> tuple[str, str, dict[str, Any]]:
    span = f"span-{choose.randrange(1, seq // 20 + 3)}"
    item = {"work_item_id": f"item of {span}", "work_type": "parse"}
    what = choose.random()
    if seq == 1:
        return "runner_spawn", "main", {"runner_pid": 4711, "heartbeat_interval": 30}
    if what < 0.2:
        return "runner_heartbeat", "main", {}
    if what < 0.3:
        ends = ("work_item_start", "work_item_start", "work_item_complete", "work_item_failed")
        return choose.choice(ends), span, {**item, "error": choose.choice(WORDS)}
    if what < 0.34:
        ids = choose.randrange(seq // 40 + 1)
        kind = choose.choice(("checkpoint_commit", "checkpoint_commit", "checkpoint_verified", "checkpoint_invalid"))
        return kind, span, {"checkpoint_id": f"checkpoint \x00 {ids}", "evidence_refs": {"b": 1, "a": "x" * 5}}
    if what < 0.38:
        request = f"request {choose.randrange(seq // 30 + 1)}" + ("é" * 900 if seq % 3 == 0 else "")
        asked = {"request_id": request, "tool_name": "rm", "arguments": {"path": choose.choice(WORDS)}}
        if choose.random() < 0.3:
            return "permission_cleared", span, {"request_id": request, "cause": "withdrawn"}
        return "permission_request", span, {**asked, **({"expires_at": _at(seq)} if seq % 2 else {})}
    if what < 0.42:
        return choose.choice(("phase_enter", "phase_exit")), "main", {}
    if what < 0.44:
        return choose.choice(("tool_result", "status")), span, {"error_code": choose.choice((0, "E1", "", None, True))}
    text = choose.choice(WORDS) * (400 if seq % 97 == 0 else 1)
    payload: dict[str, Any] = {"message": f"{text} {seq}", "stream": choose.choice(("stdout", "stderr"))}
    level = choose.choice(LEVELS)
    return "log", span, payload if level is None else {**payload, "level": level}


def _at(seconds: int) -> str:
    return (START + timedelta(seconds=seconds)).isoformat(timespec="microseconds")[:-6] + "Z"
