"""Prepare a checkout of another version for this bench, and run a scenario in either version."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
HELPERS = ("e2e/browser.py", "e2e/memory.py")
"""Files outside the bench that decide how it measures, for example which build of Chromium it starts."""

Results = dict[str, str]
"""The result of one run of the bench: the text with the figures of each row, by the row's name."""


def checkout(revision: str, folder: Path) -> Path:
    """Put `revision` and this bench into `folder`, with a separate environment. Raise CalledProcessError on failure."""
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    adopt_bench(folder)
    subprocess.run(["scripts/make_venv", ".venv"], cwd=folder, check=True, stdout=sys.stderr)
    return folder


def adopt_bench(tree: Path) -> None:
    """Replace the bench of a checkout, and the helpers that it measures with, by those of this checkout.

    Versions from before the package `signalbox` had two top-level packages, `store` and `webapp`.
    """
    shutil.rmtree(tree / "bench", ignore_errors=True)
    shutil.copytree(ROOT / "bench", tree / "bench", ignore=shutil.ignore_patterns("results.json", "__pycache__"))
    for helper in HELPERS:
        (tree / helper).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / helper, tree / helper)
    if not (tree / "signalbox").exists():
        for module in (tree / "bench").rglob("*.py"):
            module.write_text(re.sub(r"\bsignalbox\.(store|webapp)\b", r"\1", module.read_text()))


def measure(tree: Path, scenario: str, scale: str) -> Results:
    """Run one scenario in a checkout. Raise RuntimeError if it could not be measured."""
    command = [str(tree / ".venv/bin/python"), "-m", "bench", "--scale", scale, scenario]
    process = subprocess.run(command, cwd=tree, env=_environment(), capture_output=True, text=True)
    if process.returncode:
        raise RuntimeError(f"{scenario} could not be measured in {tree}:\n{process.stderr[-2000:]}")
    rows = json.loads((tree / "bench/results.json").read_text())["rows"]
    return {row["name"]: row["compared"] or row["measured"] for row in rows}


def _environment() -> dict[str, str]:
    """Return the environment of a measured version.

    With PYTHONDONTWRITEBYTECODE, each start of a version that was never compiled would compile its modules again.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
