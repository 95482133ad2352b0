"""The files of Claude Code: which sessions are in a file or a folder, with the files of their subagents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from signalbox.store import InvalidEvent
from signalbox.webapp.transcripts.claude_code import claude_code_run
from signalbox.webapp.transcripts.lines import Line, Lines, files_in, read_file, text_in
from signalbox.webapp.transcripts.transcript_run import TranscriptRun

SUBAGENT_FILES = "agent-*.jsonl"


def claude_code_files(path: Path) -> list[Path]:
    """Return the files of the sessions in `path`: the file itself, or those in a folder and in its folders."""
    if path.is_file():
        return [path]
    found = files_in(path, "**/*.jsonl")
    return [file for file in found if not file.match(SUBAGENT_FILES)]


def read_claude_code(path: Path) -> tuple[TranscriptRun, Lines]:
    """Read the session of a file. Returns its run, and the lines of the file with those that are damaged.

    Raises OSError, and InvalidEvent if the file has no line of a session.
    """
    lines = read_file(path)
    session_id = _session_of(path, lines)
    found = [*lines.found]
    for file in _subagent_files(path):
        more = read_file(file)
        if any(text_in(line.fields, "sessionId") == session_id for line in more.found):
            found += more.found
            lines.damaged += more.damaged
            lines.damaged_total += more.damaged_total
    run = claude_code_run(session_id, sorted(found, key=_time_of))
    run.report_damage(lines)
    return run, lines


def _session_of(path: Path, lines: Lines) -> str:
    """Return the id of the session. A session that continues another one begins with lines of that one."""
    known = [session for line in lines.found if (session := text_in(line.fields, "sessionId"))]
    spoken = any(line.kind in ("user", "assistant") for line in lines.found)
    if not known or not spoken:
        raise InvalidEvent(f"{path} is no transcript of Claude Code: no line has a message and a sessionId")
    return path.stem if path.stem in known else known[-1]


def _subagent_files(path: Path) -> Iterator[Path]:
    if not path.match(SUBAGENT_FILES):
        yield from files_in(path.parent, SUBAGENT_FILES)
        yield from files_in(path.parent / path.stem / "subagents", SUBAGENT_FILES)


def _time_of(line: Line) -> str:
    # Lines of the agent's own books have no time and stay where they are only within their file.
    return text_in(line.fields, "timestamp")
