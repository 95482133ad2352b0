"""Test that an export proves itself, and that the documented verifier agrees with `signalbox verify`."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.random_run import run
from signalbox.store import NewEvent
from signalbox.webapp.export.verified_file import verify_file
from tests.support.command import signalbox
from tests.support.log_changes import another
from tests.support.server import Server

DOCS = Path(__file__).parents[2] / "docs" / "verification.md"


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, bytes]]:
    """The exports of a run with a secret, full and redacted, and that of its copy with more events."""
    server = Server(tmp_path_factory.mktemp("exports")).start()
    try:
        secret = NewEvent(event_type="log", payload={"message": "token=s3cret\u2028 ünï \x85 \\u2028", "n": 1.5})
        server.emit("run", *run(seed=4, length=60), secret, "after")
        server.store.append("run", NewEvent(event_type="title_changed", payload={"title": "New"}), own=True)
        found = {"full": server.get("/tasks/run/export.ndjson?full=1").content}
        found["redacted"] = server.get("/tasks/run/export.ndjson").content
        yield found
    finally:
        server.close()


def changed(content: bytes, number: int, old: str, new: str) -> list[bytes]:
    lines = content.splitlines(keepends=True)
    lines[number] = lines[number].replace(old.encode(), new.encode(), 1)
    return lines


def test_a_full_export_is_intact(export: dict[str, bytes]) -> None:
    report = verify_file(export["full"].splitlines(keepends=True))
    assert (report.intact, report.linked_from, report.redacted_count) == (True, 1, 0)


def test_a_redacted_event_is_reported_as_redacted_and_all_others_are_proved(export: dict[str, bytes]) -> None:
    report = verify_file(export["redacted"].splitlines(keepends=True))
    secret = report.latest_seq - 2
    assert (report.intact, report.redacted) == (True, [secret])
    lines = changed(export["redacted"], secret + 1, "after", "other")
    assert [(fault.kind, fault.seq) for fault in verify_file(lines).faults] == [("changed", secret + 1)]


def test_each_change_to_an_export_is_named(export: dict[str, bytes]) -> None:
    lines = export["full"].splitlines(keepends=True)
    last = len(lines) - 1
    cases = {
        ("removed", 7): [*lines[:7], *lines[8:]],
        ("order", 8): [*lines[:7], lines[8], lines[7], *lines[9:]],
        ("inserted", 7): [*lines[:8], lines[7], *lines[8:]],
        ("missing_end", last): lines[:-1],
        ("unreadable", None): changed(export["full"], 0, '"created_at":"2', '"created_at":"3'),
    }
    for (kind, seq), content in cases.items():
        assert [(fault.kind, fault.seq) for fault in verify_file(content).faults] == [(kind, seq)]


def test_random_changes_to_the_fields_of_an_export_are_detected(export: dict[str, bytes]) -> None:
    lines, dice = export["full"].splitlines(keepends=True), random.Random(5)
    for _ in range(60):
        number = dice.randint(1, len(lines) - 1)
        event = json.loads(lines[number])
        field = dice.choice([name for name in event if name not in ("event_id", "payload", "seq")])
        event[field] = another(event[field], dice)
        content = [*lines[:number], json.dumps(event, ensure_ascii=False).encode() + b"\n", *lines[number + 1 :]]
        report = verify_file(content)
        assert not report.intact, (number, field, event[field])


def test_an_import_keeps_the_links_of_an_export_so_a_change_stays_visible(
    export: dict[str, bytes], tmp_path: Path
) -> None:
    url, file = f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "run.ndjson"
    for name in ("full", "redacted"):
        file.write_bytes(export[name])
        assert signalbox("import", str(file), "--as", name, "--store", url).returncode == 0
        verified = signalbox("verify", name, "--store", url, "--json")
        assert json.loads(verified.stdout)["intact"] is True, verified.stdout
    file.write_bytes(b"".join(changed(export["full"], 9, '"actor":"', '"actor":"x')))
    marked = signalbox("import", str(file), "--as", "bad", "--store", url)
    assert (marked.returncode, "#9 does not fit its link" in marked.stderr) == (0, True)
    verified = signalbox("verify", "bad", "--store", url, "--json")
    assert [(fault["kind"], fault["seq"]) for fault in json.loads(verified.stdout)["faults"]] == [("changed", 9)]
    assert signalbox("import", str(file), "--as", "new", "--new-links", "--store", url).returncode == 0
    assert signalbox("verify", "new", "--store", url).returncode == 0
    file.write_bytes(b"".join(export["full"].splitlines(keepends=True)[:-1]))
    refused = signalbox("import", str(file), "--as", "short", "--store", url)
    assert (refused.returncode, "the end of the export is missing" in refused.stderr) == (2, True)
    assert signalbox("verify", "--all", "--store", url).returncode == 1


def test_the_documented_verifier_agrees(export: dict[str, bytes], tmp_path: Path) -> None:
    program, file = tmp_path / "verify_log.py", tmp_path / "run.ndjson"
    found = re.search(r"```py\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found is not None
    program.write_text(found[1])

    def verified(content: bytes) -> str:
        file.write_bytes(content)
        done = subprocess.run([sys.executable, program, file], capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr

    lines = export["full"].splitlines(keepends=True)
    assert verified(export["full"]) == f"{len(lines) - 1} events verified\n"
    assert "is redacted or erased" in verified(export["redacted"])
    assert verified(b"".join(changed(export["full"], 9, '"actor":"', '"actor":"x'))) == "#9 was changed\n"
    assert verified(b"".join(lines[:-1])) == f"the end is missing after #{len(lines) - 2}\n"


def test_verify_says_what_it_cannot_read(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("no export")
    assert signalbox("verify", str(other)).returncode == 2
    assert signalbox("verify", str(tmp_path / "none.ndjson")).returncode == 2
    assert signalbox("verify").returncode == 2
