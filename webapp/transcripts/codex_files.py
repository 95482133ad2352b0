"""The files of Codex: a session in a file, with the sessions that it started as subagents."""

from __future__ import annotations

from pathlib import Path

from signalbox.store import InvalidEvent
from signalbox.webapp.transcripts.codex import codex_run, is_codex, session_meta
from signalbox.webapp.transcripts.lines import Line, Lines, files_in, read_file, read_lines, text_in
from signalbox.webapp.transcripts.transcript_run import TranscriptRun

MAX_SIBLINGS = 1000
"""Files beside a transcript that are searched for its subagents: Codex has a folder for each day."""


def codex_files(path: Path) -> list[Path]:
    """Return the files of the sessions in `path`, without those of subagents whose parent is there too."""
    if path.is_file():
        return [path]
    found = files_in(path, "**/*.jsonl")
    heads = {file: _head(file) for file in found}
    known = {session for session, _ in heads.values() if session}
    return [file for file in found if heads[file][1] not in known]


def read_codex(path: Path) -> tuple[TranscriptRun, Lines]:
    """Read the session of a file. Returns its run, and the lines of the file with those that are damaged.

    Raises OSError, and InvalidEvent if the file is no transcript.
    """
    lines = read_file(path)
    session_id = text_in(session_meta(lines.found), "id")
    if not is_codex(lines.found) or not session_id:
        raise InvalidEvent(f"{path} is no transcript of Codex: no line is a session_meta with an id")
    subagents: dict[str, list[Line]] = {}
    for file in files_in(path.parent, "*.jsonl")[-MAX_SIBLINGS:]:
        child, parent = _head(file) if file != path else ("", "")
        if child and parent == session_id:
            more = read_file(file)
            subagents[child] = more.found
            lines.damaged += more.damaged
            lines.damaged_total += more.damaged_total
    run = codex_run(session_id, lines.found, subagents)
    run.report_damage(lines)
    return run, lines


def _head(path: Path) -> tuple[str, str]:
    """Return the id of a session and that of its parent, from the first line of its file. They are empty if it fails.

    A file that cannot be read is reported when it is imported.
    """
    try:
        with path.open("rb") as file:
            meta = session_meta(read_lines([file.readline()]).found)
    except OSError:
        return "", ""
    parent = text_in(meta, "source", "subagent", "thread_spawn", "parent_thread_id")
    return text_in(meta, "id"), parent or text_in(meta, "parent_thread_id")
