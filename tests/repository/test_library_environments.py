"""Test that the fixtures of all tests load in the environments of `make integrations`, which have few packages."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

LOCKS = sorted((ROOT / "tests/libraries").glob("*/requirements.lock"))
OWN = {"signalbox", "tests", "e2e"}


def imported(path: Path) -> set[str]:
    """Return the packages that a module imports when it is loaded."""
    found = set[str]()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found - OWN - set(sys.stdlib_module_names)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
def test_the_fixtures_of_all_tests_import_only_what_each_environment_has(lock: Path) -> None:
    locked = {line.partition("==")[0].replace("-", "_") for line in lock.read_text().splitlines() if "==" in line}
    assert LOCKS
    assert imported(ROOT / "conftest.py") <= locked
