"""Test that a skipped test is a failure in CI. Only Traefik may be missing there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SKIPS = """
import pytest

def test_misses_something():
    pytest.skip("nginx is not installed here")

@pytest.mark.skipif(True, reason="no such system")
def test_is_elsewhere():
    pass

def test_misses_traefik():
    pytest.skip("traefik is not installed here")

@pytest.mark.xfail(reason="known")
def test_fails():
    assert False
"""


@pytest.mark.long
@pytest.mark.parametrize(("ci", "fails", "skipped"), [("true", True, 1), ("", False, 3)])
def test_a_skipped_test_is_a_failure_in_ci(tmp_path: Path, ci: str, fails: bool, skipped: int) -> None:
    (tmp_path / "test_skips.py").write_text(SKIPS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "conftest",
        "-p",
        "no:cacheprovider",
        f"--rootdir={tmp_path}",
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CI": ci}
    result = subprocess.run([*command, "test_skips.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    last = result.stdout.splitlines()[-1]
    assert ("1 failed" in last, "1 error" in last) == (fails, fails), result.stdout
    assert f"{skipped} skipped" in last
    assert "1 xfailed" in last
