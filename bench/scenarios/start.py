"""Measure start-up costs: installed size, import, command line, and the memory of an idle server."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from packaging.requirements import Requirement

from bench.scenarios import Scale
from bench.session import COMMAND, serving, temporary_store
from bench.spent import run_and_time
from bench.table import Row, cpu, ms
from signalbox.store import open_store

PACKAGE = open_store.__module__.partition(".")[0]
"""The package that programs import."""

IMPORT = (
    "import time; began, used = time.perf_counter(), time.process_time(); import {package};"
    "elapsed, used = time.perf_counter() - began, time.process_time() - used;"
    "status = open('/proc/self/status').read() if __import__('sys').platform == 'linux' else 'VmRSS: 0';"
    "print(elapsed, used, int(status.partition('VmRSS:')[2].split()[0]) * 1024)"
)
IDLE = 2.0
"""Seconds without a request before the memory of an idle server is read."""


def start(scale: Scale) -> Iterator[Row]:
    """Yield rows for importing the package, two commands, the start of a server, and the installed size."""
    yield _import(scale.repeats * 2)
    yield _command(scale.repeats)
    yield _emit(scale.repeats)
    yield _server(scale.repeats)
    yield _installed()


def _import(repeats: int) -> Row:
    def once(package: str) -> tuple[float, float, int]:
        code = IMPORT.format(package=package)
        printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        seconds, used, rss = printed.split()
        return float(seconds), float(used), int(rss)

    # `sys` is always imported, so the second figure is the interpreter alone.
    times = [(once(PACKAGE), once("sys")) for _ in range(repeats)]
    seconds, rss = median(of[0] for of, _ in times), median(of[2] for of, _ in times)
    bare_rss = median(bare[2] for _, bare in times)
    return Row(
        name="import the package, as an emitter does: time, memory of the process",
        measured=f"{ms(seconds * 1000)}, {rss / 1e6:.1f} MB",
        baseline=f"Python alone {bare_rss / 1e6:.1f} MB",
        compared=f"{cpu(min(of[1] for of, _ in times))}, {rss / 1e6:.1f} MB",
        figures={"seconds": seconds, "rss": rss, "bare_rss": bare_rss},
    )


def _command(repeats: int) -> Row:
    taken, used = zip(*(run_and_time([*COMMAND, "--version"]) for _ in range(repeats)), strict=True)
    bare = [run_and_time([sys.executable, "-c", ""])[0] for _ in range(repeats)]
    return Row(
        name="signalbox --version",
        measured=ms(median(taken) * 1000),
        baseline=f"Python alone {ms(median(bare) * 1000)}",
        compared=cpu(min(used)),
        figures={"seconds": taken, "bare_seconds": bare},
    )


def _emit(repeats: int) -> Row:
    with temporary_store() as url:
        command = [*COMMAND, "emit", "--store", url, "task", "log"]
        taken, used = zip(*[run_and_time(command) for _ in range(repeats + 1)][1:], strict=True)
    return Row(
        name="signalbox emit: one event into a database that exists",
        measured=ms(median(taken) * 1000),
        compared=cpu(min(used)),
        figures={"seconds": taken, "cpu_seconds": used},
    )


def _server(repeats: int) -> Row:
    taken, used, idle = list[float](), list[float](), list[int]()
    for _ in range(repeats):
        with temporary_store() as url:
            began = time.perf_counter()
            with serving(url) as (server, port):
                with urlopen(f"http://127.0.0.1:{port}/tasks", timeout=30) as response:
                    response.read()
                taken.append(time.perf_counter() - began)
                used.append(server.cpu_seconds())
                time.sleep(IDLE)
                idle.append(server.rss_bytes())
    return Row(
        name="start of a server with a new store to its first page; memory while idle",
        measured=f"{ms(median(taken) * 1000)}, {median(idle) / 1e6:.1f} MB",
        compared=f"{cpu(min(used))}, {median(idle) / 1e6:.1f} MB",
        figures={"seconds": taken, "cpu_seconds": used, "rss": idle},
    )


def _installed() -> Row:
    sizes = {name: _size(importlib.metadata.distribution(name)) for name in _installed_names()}
    sizes["its own packages"] = sum(
        _folder_size(Path(__file__).parents[2] / name) for name in ("store", "webapp", "integrations")
    )
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:4]
    return Row(
        name="installed size, with all that the default installation needs",
        measured=f"{sum(sizes.values()) / 1e6:.1f} MB",
        target="under 50 MB",
        met=sum(sizes.values()) < 50e6,
        baseline=", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in largest),
        figures={"bytes": sizes},
    )


def _installed_names() -> set[str]:
    """Return the distributions that an installation without extras adds, without Signalbox itself."""
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="signalbox")
    assert script.dist
    names, waiting = set[str](), [script.dist.name]
    while waiting:
        for text in importlib.metadata.requires(waiting.pop()) or ():
            requirement = Requirement(text)
            applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if applies and requirement.name not in names:
                names.add(requirement.name)
                waiting.append(requirement.name)
    return names


def _size(distribution: importlib.metadata.Distribution) -> int:
    paths = [Path(str(distribution.locate_file(file))) for file in distribution.files or ()]
    return sum(path.stat().st_size for path in paths if path.exists())


def _folder_size(folder: Path) -> int:
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return sum(path.stat().st_size for path in files)
