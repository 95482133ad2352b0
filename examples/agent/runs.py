"""A run: a code base refactored step by step, and all that it said, kept in a file.

Each step appends its lines in one write, and nobody hears of them before that is on the disk. So a server that is
killed begins again at the step that it was in, and never says anything else under an id that somebody has seen.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from codemods import refactor

CODEBASE = Path(__file__).parent / "codebase"
WORDS = {"f-string": "to f-strings", "union": "to X | Y", "import": "imports gone"}


class Message(NamedTuple):
    """One message of the stream; its id is its place, from 1 on."""

    event: str
    data: str


class Run:
    """The run in `folder`; `pace` is the least time in seconds for a step."""

    def __init__(self, folder: Path, pace: float) -> None:
        self.folder, self.code, self.pace = folder, folder / "code", pace
        self.messages: list[Message] = []
        self.steps = 0
        self._grown = asyncio.Event()
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "log.ndjson"
        self._log.touch()
        self._load()

    @property
    def over(self) -> bool:
        """Whether the last word is said."""
        return bool(self.messages) and self.messages[-1].event == "status"

    def cancel(self) -> None:
        """Stop before the next step."""
        (self.folder / "cancel").touch()

    async def work(self) -> None:
        """Do all steps that are not done yet."""
        files = sorted(path.relative_to(CODEBASE) for path in CODEBASE.rglob("*.py"))
        while not self.over:
            begun = asyncio.get_running_loop().time()
            try:
                said = await asyncio.to_thread(self._step, files)
            except Exception as error:
                said = [Message("status", f"Task failed: {type(error).__name__}: {error}")]
            self._append(said)
            await asyncio.sleep(max(0.0, begun + self.pace - asyncio.get_running_loop().time()))

    async def after(self, last_id: int, silence: float) -> AsyncIterator[tuple[int, Message] | None]:
        """The messages after `last_id` with their ids, as they come, to the end; None after each `silence` seconds."""
        while True:
            grown = self._grown
            while last_id < len(self.messages):
                last_id += 1
                yield last_id, self.messages[last_id - 1]
            if self.over:
                return
            try:
                async with asyncio.timeout(silence):
                    await grown.wait()
            except TimeoutError:
                yield None

    def _step(self, files: list[Path]) -> list[Message]:
        if (self.folder / "cancel").exists():
            return [Message("status", "Task cancelled")]
        if self.steps == 0:
            shutil.copytree(CODEBASE, self.code, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            return [log(f"copied {len(files)} files"), *self._progress(files)]
        if self.steps <= len(files):
            return [*self._refactor(files[self.steps - 1]), *self._progress(files)]
        return [*self._progress(files), *self._test()]

    def _refactor(self, file: Path) -> Iterator[Message]:
        # From the original each time: a step that is done twice does the same.
        code, changes = refactor((CODEBASE / file).read_text())
        (self.code / file).write_text(code)
        told = ", ".join(f"{count} {WORDS[name]}" for name, count in sorted(changes.items()) if count)
        yield log(f"{file}: {told or 'nothing to do'}")

    def _progress(self, files: list[Path]) -> Iterator[Message]:
        yield Message("progress_update", json.dumps({"progress": {"current": self.steps + 1, "total": len(files) + 2}}))

    def _test(self) -> Iterator[Message]:
        command = [sys.executable, "-m", "unittest", "discover", "-v", "-s", "tests", "-t", "."]
        tests = subprocess.run(command, cwd=self.code, capture_output=True, text=True)
        yield from (log(line) for line in tests.stderr.splitlines() if line.strip("-= "))
        yield Message(
            "status", "Task success" if tests.returncode == 0 else "Task failed: the tests of the result fail"
        )

    def _append(self, messages: list[Message]) -> None:
        lines = [json.dumps([*message, number == len(messages)]) for number, message in enumerate(messages, 1)]
        with self._log.open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        self.messages += messages
        self.steps += 1
        self._grown.set()
        self._grown = asyncio.Event()

    def _load(self) -> None:
        """What was said; half a step, which nobody has heard of, is cut off."""
        text, whole, pending, said = self._log.read_bytes(), 0, list[Message](), 0
        for line in text.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            event, data, last = json.loads(line)
            pending.append(Message(event, data))
            said += len(line)
            if last:
                self.messages += pending
                pending, whole = [], said
                self.steps += 1
        os.truncate(self._log, whole)


def log(text: str) -> Message:
    return Message("log", f"{datetime.now(UTC).isoformat(timespec='milliseconds')[:-6]}Z {text}")
