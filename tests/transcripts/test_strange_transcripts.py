"""Transcripts with values of other types, notes that never end, and files that cannot be read."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from signalbox.webapp.transcripts.claude_code import claude_code_run
from signalbox.webapp.transcripts.claude_code_files import claude_code_files
from signalbox.webapp.transcripts.codex import codex_run
from signalbox.webapp.transcripts.codex_files import codex_files, read_codex
from signalbox.webapp.transcripts.lines import read_lines
from tests.support.command import signalbox
from tests.transcripts.test_transcripts import CODEX, ROLLOUT

OTHERS: tuple[Any, ...] = (5, True, None, "text", [1, [2], {"type": 3}], {"a": 1})
"""Values of every type of JSON."""


def lines(*objects: object) -> list[bytes]:
    return [json.dumps(each).encode() for each in objects]


@pytest.mark.parametrize("value", OTHERS, ids=str)
def test_no_type_of_a_value_ends_the_import_of_claude_code(value: Any) -> None:
    result = {"type": "tool_result", "tool_use_id": value, "content": value}
    use = {"type": "tool_use", "id": value, "name": value, "input": value}
    block = {"type": "text", "text": value}
    messages = (value, {"content": value}, {"content": [block, use, result, value], "id": value, "usage": value})
    said = [
        {"type": kind, "sessionId": "s", "isSidechain": side, "message": message, "content": value, "uuid": value}
        for kind in ("user", "assistant", "system", "other")
        for side in (False, True)
        for message in messages
    ]
    assert claude_code_run("s", read_lines(lines(*said)).found).events()


@pytest.mark.parametrize("value", OTHERS, ids=str)
def test_no_type_of_a_value_ends_the_import_of_codex(value: Any) -> None:
    kinds = ("message", "reasoning", "function_call", "function_call_output", "token_count", "user_message", "other")
    fields = ("role", "content", "summary", "arguments", "output", "call_id", "info", "message")
    payloads = [value, *({"type": kind, **dict.fromkeys(fields, value)} for kind in kinds)]
    payloads += [{"type": "message", "role": role, "content": value} for role in ("user", "assistant", "system")]
    said = [
        {"type": kind, "payload": payload}
        for kind in ("response_item", "event_msg", "turn_context", "compacted", "other")
        for payload in payloads
    ]
    assert codex_run("s", read_lines(lines(*said)).found, {}).events()


def test_a_note_with_countless_open_tags_is_read_at_once() -> None:
    text = "<command-name>" * 50_000 + "<bash-input>ls</bash-input>"
    read = read_lines(lines({"type": "user", "message": {"content": text}})).found
    begun = time.process_time()
    events = claude_code_run("s", read).events()
    assert time.process_time() - begun < 5
    assert [event.payload["message"] for event in events if event.event_type == "log"] == ["ls"]


def test_files_that_cannot_be_read_stop_no_other(url: str, tmp_path: Path) -> None:
    folder = shutil.copytree(CODEX, tmp_path / "sessions")
    (folder / "link.jsonl").symlink_to(tmp_path / "none")
    (folder / "empty.jsonl").touch()
    os.mkfifo(folder / "pipe.jsonl")
    assert [file.name for file in codex_files(folder)] == ["empty.jsonl", "link.jsonl", ROLLOUT.name]
    assert read_codex(folder / ROLLOUT.name)[0].events()
    assert [file.name for file in claude_code_files(folder) if file.name.startswith("pipe")] == []
    done = signalbox("import", "codex", str(folder), "--store", url)
    assert done.returncode == 1
    assert done.stdout.startswith("codex-")
    assert "empty.jsonl is no transcript of Codex" in done.stderr
    assert "No such file or directory" in done.stderr
