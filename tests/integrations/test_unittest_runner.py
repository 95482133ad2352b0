"""Test the runner for unittest."""

from __future__ import annotations

from pathlib import Path

from tests.support.reporting import events_in, run_python, tasks_in

TESTS = """
import unittest

class Orders(unittest.TestCase):
    def test_adds(self): self.assertEqual(1 + 1, 2)
    def test_total(self): self.assertEqual(sum([1, 2]), 4)
    def test_database(self): raise RuntimeError("no database")
    @unittest.skip("no network")
    def test_skipped(self): pass
    @unittest.expectedFailure
    def test_known(self): self.fail("bug 12")
    @unittest.expectedFailure
    def test_fixed(self): pass
    def test_parts(self):
        for part in (1, 2, 3):
            with self.subTest(part=part): self.assertNotEqual(part, 2)

class Broken(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise OSError("no disk")
    def test_never(self): pass

class Nameless(Exception):
    def __str__(self): raise ValueError("no name")

class Unprintable(unittest.TestCase):
    def test_error(self): raise Nameless
    @unittest.expectedFailure
    def test_expected(self): raise Nameless
"""


async def test_a_session_of_unittest_is_a_task_with_its_tests(tmp_path: Path, url: str) -> None:
    (tmp_path / "test_orders.py").write_text(TESTS)
    done = run_python("-m", "signalbox.integrations.unittest", "discover", cwd=tmp_path, SIGNALBOX_STORE_URL=url)
    assert done.returncode == 1
    assert "FAILED (failures=2, errors=3, skipped=1, expected failures=2, unexpected successes=1)" in done.stderr
    (task,) = await tasks_in(url)
    assert (task.title, task.kind, task.status) == ("unittest discover", "unittest", "failed")
    assert str(task.error).startswith("3 failed, 1 passed, 1 skipped, 2 xfailed, 3 errors in")
    events = await events_in(url, task.task_id)
    outcomes = {
        event.payload["work_item_id"]: (event.payload["outcome"], event.payload.get("message", ""))
        for event in events
        if event.event_type in ("work_item_complete", "work_item_failed")
    }
    assert outcomes == {
        "setUpClass (test_orders.Broken)": ("error", "OSError: no disk"),
        "test_orders.Orders.test_adds": ("passed", ""),
        "test_orders.Orders.test_total": ("failed", "AssertionError: 3 != 4"),
        "test_orders.Orders.test_database": ("error", "RuntimeError: no database"),
        "test_orders.Orders.test_skipped": ("skipped", "no network"),
        "test_orders.Orders.test_known": ("xfailed", "AssertionError: bug 12"),
        "test_orders.Orders.test_fixed": ("failed", "it passed, but is marked as an expected failure"),
        "test_orders.Orders.test_parts": ("failed", "AssertionError: 2 == 2"),
        "test_orders.Unprintable.test_error": ("error", "Nameless: <Nameless>"),
        "test_orders.Unprintable.test_expected": ("xfailed", "Nameless: <Nameless>"),
    }
    lines = [event.payload["message"] for event in events if event.event_type == "log"]
    assert any("Traceback (most recent call last):" in line and "no database" in line for line in lines)
    assert "FAIL: test_total (test_orders.Orders)" in lines
