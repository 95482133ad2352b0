"""The demo: an audit of the standard library with a recovery and a verification."""

from __future__ import annotations

import ast
import hashlib
import shutil
import signal
import threading
from pathlib import Path

import pytest

from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.demo.audit import LibraryAudit, audit
from signalbox.webapp.demo.examine import examine
from signalbox.webapp.demo.survey import LARGEST_PACKAGE, Package, find_modules, group_by_package, library
from tests.support.command import start
from tests.support.log import cancel, log_of, spans_of, task_of, types_of, wait_for_event

MODULES = (
    "textwrap.py",
    "string.py",
    "keyword.py",
    "json/__init__.py",
    "json/decoder.py",
    "json/encoder.py",
    "this.py",
)

MODULE = """# TODO one
class A:
    def f(self):
        try:
            return 1
        except:
            pass

def g():
    'Documented.'
"""


@pytest.fixture
def some_modules(tmp_path: Path) -> Path:
    root = tmp_path / "library"
    for name in MODULES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library() / name, root / name)
    return root


@pytest.mark.long
def test_the_audit_finds_examines_recovers_and_verifies(store: SqliteStore, some_modules: Path) -> None:
    summary = audit(store, task_id="t", jobs=2, root=some_modules)
    lines = sum((some_modules / name).read_text().count("\n") for name in MODULES)
    assert summary.startswith(f"7 modules, {lines:,} lines, ")
    task = task_of(store, "t")
    assert (task.status, task.title, task.kind, task.spans_open) == ("done", "stdlib audit", "audit", 0)
    assert task.progress is not None
    assert task.progress.percentage == 100
    events = log_of(store, "t")
    phases = [event.phase for event in events if event.event_type == "phase_enter"]
    assert phases == ["planning", "executing", "recovery", "verifying"]
    assert [kind for kind in types_of(store, "t") if kind.startswith("recovery")] == [
        "recovery_initiated",
        "recovery_checkpoint_loaded",
        "recovery_complete",
    ]
    broken = next(event for event in events if event.event_type == "work_item_failed")
    assert broken.payload["error_code"] == "SyntaxError"
    assert spans_of(store, "t")["modules"].attempts == 2
    assert spans_of(store, "t")["modules"].state == "done"


@pytest.mark.long
def test_every_checkpoint_has_its_hash_as_evidence_and_is_verified(store: SqliteStore, some_modules: Path) -> None:
    audit(store, task_id="t", jobs=2, root=some_modules)
    events_by_checkpoint: dict[str, set[str]] = {}
    for event in log_of(store, "t"):
        if event.event_type.startswith(("checkpoint", "evidence")):
            events_by_checkpoint.setdefault(event.payload["checkpoint_id"], set()).add(event.event_type)
            if event.event_type == "evidence_collected":
                assert len(bytes.fromhex(event.payload["evidence_id"])) == 32
    assert len(events_by_checkpoint) == 3
    assert set(map(frozenset, events_by_checkpoint.values())) == {
        frozenset({"checkpoint_commit", "evidence_collected", "checkpoint_verified"})
    }


@pytest.mark.long
def test_the_audit_stops_on_a_cancel(store: SqliteStore) -> None:
    def cancel_while_working() -> None:
        wait_for_event(store.url, "t", lambda event: event.event_type == "work_item_start")
        cancel(store, "t", "ann")

    cancelling = threading.Thread(target=cancel_while_working)
    cancelling.start()
    assert audit(store, task_id="t", jobs=2) == "stopped on request"
    cancelling.join()
    assert task_of(store, "t").status == "cancelled"


def test_an_interrupt_while_the_work_is_handed_out_ends_the_audit_at_once(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_out, handed_out = LibraryAudit._damaged, list[Package]()

    def interrupt(self: LibraryAudit, package: Package) -> Package:
        if len(handed_out) == 4:
            raise KeyboardInterrupt
        handed_out.append(package)
        return hand_out(self, package)

    monkeypatch.setattr(LibraryAudit, "_damaged", interrupt)
    with pytest.raises(KeyboardInterrupt):
        audit(store, task_id="t", jobs=1)
    assert task_of(store, "t").status == "cancelled"
    assert types_of(store, "t").count("work_item_complete") < len(handed_out)


@pytest.mark.long
def test_a_terminated_demo_is_recorded_as_cancelled(store: SqliteStore) -> None:
    running = start("demo", "--store", store.url, "--task", "t")
    wait_for_event(store.url, "t", lambda event: event.event_type == "work_item_start")
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) == 130
    assert running.communicate()[1] == ""
    task = task_of(store, "t")
    assert (task.status, task.spans_open) == ("cancelled", 0)


def test_a_report_describes_a_module(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(MODULE)
    report = examine(module)
    assert report.sha256 == hashlib.sha256(module.read_bytes()).hexdigest()
    assert (report.lines, report.functions, report.classes, report.undocumented) == (10, 2, 1, 2)
    assert (report.bare_excepts, report.remarks, report.longest, report.longest_lines) == (1, 1, "f", 5)
    assert report.round_trips


def test_a_module_with_a_syntax_error_raises(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("print('open'")
    with pytest.raises(SyntaxError):
        examine(module)


def test_the_survey_covers_the_whole_library_once() -> None:
    modules = find_modules(library())
    packages = group_by_package(modules)
    assert sorted(m.name for p in packages for m in p.modules) == sorted(m.name for m in modules)
    assert len({package.name for package in packages}) == len(packages) > 10
    assert max(len(package.modules) for package in packages) <= LARGEST_PACKAGE
    assert ast.__file__ in {str(module.path) for module in modules}
