"""A run refactors a code base step by step and keeps its messages in a file.

Each step appends its messages in one write and sends them only after fsync. A killed server therefore repeats the step
that it was in, and never sends two different messages with the same id.
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
    """One message of the stream. Its id is its position in the log, counted from 1."""

    event: str
    data: str


class RefactoringRun:
    """The run whose files are in `folder`. `pace` is the minimum duration of a step in seconds."""

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
    def ended(self) -> bool:
        """Whether the log contains the final status."""
        return bool(self.messages) and self.messages[-1].event == "status"

    def cancel(self) -> None:
        """Stop the run before its next step."""
        (self.folder / "cancel").touch()

    async def work(self) -> None:
        """Do the remaining steps."""
        files = sorted(path.relative_to(CODEBASE) for path in CODEBASE.rglob("*.py"))
        while not self.ended:
            begun = asyncio.get_running_loop().time()
            try:
                messages = await asyncio.to_thread(self._step, files)
            except Exception as error:
                messages = [Message("status", f"Task failed: {type(error).__name__}: {error}")]
            self._append(messages)
            await asyncio.sleep(max(0.0, begun + self.pace - asyncio.get_running_loop().time()))

    async def after(self, last_id: int, silence: float) -> AsyncIterator[tuple[int, Message] | None]:
        """Yield the messages after `last_id` with their ids until the run ends; None after each `silence` seconds."""
        while True:
            grown = self._grown
            while last_id < len(self.messages):
                last_id += 1
                yield last_id, self.messages[last_id - 1]
            if self.ended:
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
        # Each step starts from the original file, so repeating a step gives the same result.
        code, changes = refactor((CODEBASE / file).read_text())
        (self.code / file).write_text(code)
        summary = ", ".join(f"{count} {WORDS[name]}" for name, count in sorted(changes.items()) if count)
        yield log(f"{file}: {summary or 'nothing to do'}")

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
        """Load the complete steps. An incomplete step was not sent to anybody, so it is cut off."""
        text, complete, pending, size = self._log.read_bytes(), 0, list[Message](), 0
        for line in text.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            event, data, last = json.loads(line)
            pending.append(Message(event, data))
            size += len(line)
            if last:
                self.messages += pending
                pending, complete = [], size
                self.steps += 1
        os.truncate(self._log, complete)


def log(text: str) -> Message:
    return Message("log", f"{datetime.now(UTC).isoformat(timespec='milliseconds')[:-6]}Z {text}")
