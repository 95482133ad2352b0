"""Finds the modules of the standard library and divides them into packages of a size for one worker."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import msgspec

FOREIGN = {"site-packages", "dist-packages", "__pycache__"}
LARGEST_PACKAGE = 40
"""Maximum number of modules in one work item."""


class Module(msgspec.Struct, frozen=True):
    """A module: its name, such as `json/decoder.py`, and the file to read."""

    name: str
    path: Path


class Package(msgspec.Struct, frozen=True):
    """A group of modules."""

    name: str
    modules: list[Module]


def library() -> Path:
    """Return the folder of this Python's standard library."""
    return Path(sysconfig.get_path("stdlib"))


def find_modules(root: Path) -> list[Module]:
    """Return all modules below `root`, sorted by name, without installed packages."""
    found = (path for path in root.rglob("*.py") if not FOREIGN & set(path.parts[len(root.parts) :]))
    return sorted((Module(path.relative_to(root).as_posix(), path) for path in found), key=lambda m: m.name)


def group_by_package(modules: list[Module]) -> list[Package]:
    """Group modules by top-level package. Large groups, and modules outside a package, are divided into parts."""
    groups: dict[str, list[Module]] = {}
    for module in modules:
        top, inside, _ = module.name.partition("/")
        groups.setdefault(top if inside else "modules", []).append(module)
    return [package for name, group in groups.items() for package in _parts(name, group)]


def _parts(name: str, modules: list[Module]) -> list[Package]:
    if len(modules) <= LARGEST_PACKAGE:
        return [Package(name, modules)]
    count = -(-len(modules) // LARGEST_PACKAGE)
    size = -(-len(modules) // count)
    parts = [modules[at : at + size] for at in range(0, len(modules), size)]
    return [Package(f"{name} {number}/{len(parts)}", part) for number, part in enumerate(parts, 1)]
