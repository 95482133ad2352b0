"""The lines of a transcript: one JSON object per line. Damaged lines are reported and skipped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

MAX_DAMAGED = 1000
"""Damaged lines that are reported. The number of all is `Lines.damaged_total`."""


@dataclass(frozen=True)
class Line:
    """A line of a transcript. `number` counts from 1 in its file."""

    number: int
    fields: Mapping[str, Any]
    digest: str

    @property
    def kind(self) -> str:
        """The type of the line, or ""."""
        return text_in(self.fields, "type")


class Damage(NamedTuple):
    """A line that cannot be read: its number, the fault, and the time of the line before it as written there."""

    number: int
    fault: str
    after: object


@dataclass
class Lines:
    """The readable lines of a transcript, and the damaged ones."""

    found: list[Line] = field(default_factory=list)
    damaged: list[Damage] = field(default_factory=list)
    damaged_total: int = 0


def read_lines(lines: Iterable[bytes]) -> Lines:
    """Read the lines of a transcript."""
    read = Lines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            fields = msgspec.json.decode(line)
            fault = "" if isinstance(fields, dict) else "it is not a JSON object"
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            fields, fault = None, str(error)
        if fault:
            read.damaged_total += 1
            if len(read.damaged) < MAX_DAMAGED:
                read.damaged.append(Damage(number, fault, read.found[-1].fields.get("timestamp") if read.found else ""))
        else:
            read.found.append(Line(number, fields, hashlib.sha256(line.strip()).hexdigest()[:32]))
    return read


def read_file(path: Path) -> Lines:
    """Read the lines of a file. Raises OSError."""
    with path.open("rb") as file:
        return read_lines(file)


def files_in(folder: Path, pattern: str) -> list[Path]:
    """Return the files that match, with broken links. A pipe is none, because reading one waits for a writer."""
    return [path for path in sorted(folder.glob(pattern)) if path.is_file() or not path.exists()]


def text_in(fields: Any, *names: str) -> str:
    """Return the text that is at this path of nested objects, or ""."""
    for name in names:
        fields = fields.get(name) if isinstance(fields, Mapping) else None
    return fields if isinstance(fields, str) else ""


def object_in(fields: Any, *names: str) -> Mapping[str, Any]:
    """Return the object that is at this path of nested objects, or an empty one."""
    for name in names:
        fields = fields.get(name) if isinstance(fields, Mapping) else None
    return fields if isinstance(fields, Mapping) else {}


def list_in(value: Any) -> list[Any]:
    """Return `value` if it is a list, or an empty one."""
    return value if isinstance(value, list) else []


def without(fields: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return the fields that are not known, without empty ones."""
    return {name: value for name, value in fields.items() if name not in known and value not in (None, "", [], {})}
