"""The table that the bench prints, and the results file that it writes."""

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

COLUMNS = ("what", "measured", "target", "", "elsewhere (not measured here)", "beside it, same run")


@dataclass(frozen=True)
class Row:
    """One row. `target` is the figure to reach. `other_products` quotes other products. The rest is measured here.

    `--against` compares the figures in `compared` if it is not empty, else those in `measured`. Give CPU time there
    where the elapsed time depends on what else the machine does.
    """

    name: str
    measured: str
    target: str = ""
    met: bool | None = None
    other_products: str = ""
    baseline: str = ""
    compared: str = ""
    figures: dict[str, Any] = field(default_factory=dict)

    def cells(self) -> tuple[str, ...]:
        mark = "" if self.met is None else "yes" if self.met else "NO"
        return (self.name, self.measured, self.target, mark, self.other_products, self.baseline)


def render(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table with aligned columns."""
    lines = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def machine() -> dict[str, Any]:
    """Describe the machine. The load average shows whether it was quiet."""
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
    """Write all results as JSON."""
    path.write_text(json.dumps({**about, "rows": [asdict(row) for row in rows]}, indent=1, default=str) + "\n")


def ms(value: float) -> str:
    """Format milliseconds with a sensible number of digits."""
    return f"{value:.2f} ms" if value < 10 else f"{value:.0f} ms"


def seconds(value: float) -> str:
    """Format seconds, or milliseconds for short times."""
    return ms(value * 1000) if value < 0.1 else f"{value:.2f} s"


def p50_p99(figures: dict[str, Any]) -> str:
    """Format the median and 99th percentile of a load client's figures."""
    return f"{ms(figures['p50_ms'])} / {ms(figures['p99_ms'])}"


def cpu(seconds: float) -> str:
    """Format CPU seconds, with the words that tell them from elapsed time."""
    return f"{seconds * 1000:.3f} ms of CPU"


def count(value: float) -> str:
    """Format an integer with thousands separators."""
    return f"{value:,.0f}"
