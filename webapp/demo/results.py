"""Totals of the audit, and its checkpoints on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from signalbox.webapp.demo.examine import ModuleReport


class Totals(msgspec.Struct, frozen=True):
    """Sums over modules."""

    modules: int
    lines: int
    tokens: int
    functions: int
    classes: int
    bare_excepts: int
    remarks: int

    def __str__(self) -> str:
        modules, lines = count(self.modules, "module"), count(self.lines, "line")
        return f"{modules}, {lines}, {count(self.functions, 'function')}, {count(self.classes, 'class', 'classes')}"


def totals_of(reports: dict[str, ModuleReport]) -> Totals:
    """Return the sums over some reports."""
    fields = ("lines", "tokens", "functions", "classes", "bare_excepts", "remarks")
    sums = {name: sum(getattr(report, name) for report in reports.values()) for name in fields}
    return Totals(modules=len(reports), **sums)


def count(number: int, word: str, plural: str | None = None) -> str:
    """Format a number with its noun: `1 line`, `1,200 lines`."""
    return f"{number:,} {word if number == 1 else plural or f'{word}s'}"


def save(path: Path, reports: dict[str, ModuleReport]) -> str:
    """Write the reports to a file and return its SHA-256."""
    data = msgspec.json.encode(dict(sorted(reports.items())))
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def load(path: Path, sha256: str) -> dict[str, ModuleReport]:
    """Load the reports from a file. Raises ValueError if its hash is not `sha256`."""
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ValueError(f"{path.name} has the hash {found[:12]}, not {sha256[:12]}")
    return msgspec.json.decode(data, type=dict[str, ModuleReport])
