"""The one table that the bench prints, and the results it writes beside it."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

COLUMNS = ("what", "measured", "reach", "", "elsewhere (not measured here)", "beside it, same run")


@dataclass(frozen=True)
class Row:
    """One line. All is measured in this run but `reach` (the aim) and `elsewhere` (what others were measured at)."""

    what: str
    measured: str
    reach: str = ""
    met: bool | None = None
    elsewhere: str = ""
    baseline: str = ""
    figures: dict[str, Any] = field(default_factory=dict)

    def cells(self) -> tuple[str, ...]:
        mark = "" if self.met is None else "yes" if self.met else "NO"
        return (self.what, self.measured, self.reach, mark, self.elsewhere, self.baseline)


def render(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table with aligned columns."""
    lines = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def machine() -> dict[str, Any]:
    """What was measured on; the load average tells whether the machine was quiet."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def write(path: Path, about: dict[str, Any], rows: Sequence[Row]) -> None:
    """Write everything that was measured as JSON."""
    path.write_text(json.dumps({**about, "rows": [asdict(row) for row in rows]}, indent=1, default=str) + "\n")


def ms(value: float) -> str:
    """Milliseconds with as many digits as mean something."""
    return f"{value:.2f} ms" if value < 10 else f"{value:.0f} ms"


def seconds(value: float) -> str:
    """Seconds, or milliseconds for what is short."""
    return ms(value * 1000) if value < 0.1 else f"{value:.2f} s"


def p50_p99(figures: dict[str, Any]) -> str:
    """Median and 99th percentile of a load client's figures."""
    return f"{ms(figures['p50_ms'])} / {ms(figures['p99_ms'])}"


def count(value: float) -> str:
    """A whole number with thousands set apart."""
    return f"{value:,.0f}"
