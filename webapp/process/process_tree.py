"""The CPU time and the memory of a process with all its descendants.

On Linux both come from `/proc`; on other systems, such as macOS, from `ps`. A descendant whose parents have all exited
belongs to another tree, and no longer counts.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
HAS_PROC = os.path.exists(f"/proc/self/task/{os.getpid()}/children")
"""Whether `/proc` names the children of a process; a kernel may be built without this."""

MAX_PROCESSES = 2000
"""Processes of one tree that are read. More would take too long."""

# The fields of `/proc/PID/stat` after the name of the command; see proc_pid_stat(5).
_UTIME, _STIME, _CHILDREN_UTIME, _CHILDREN_STIME, _THREADS, _RSS = 11, 12, 13, 14, 17, 21
_LINE = re.compile(rb"(\d+)\s+(\d+)\s+(\d+)\s+(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)\s*")


class TreeUsage(NamedTuple):
    """CPU seconds since each process started, resident memory in bytes, and the number of processes.

    The CPU time of a descendant that ended is included once its parent has waited for it.
    """

    cpu_s: float
    memory: int
    processes: int


async def usage_of_tree(root: int) -> TreeUsage:
    """Return the usage of the process `root` and its descendants; zero if it has ended."""
    return usage_from_proc(root) if HAS_PROC else await usage_from_ps(root)


def usage_from_proc(root: int) -> TreeUsage:
    """Read the usage from `/proc`: two small files for each process."""
    ticks = pages = count = 0
    waiting = [root]
    while waiting and count < MAX_PROCESSES:
        pid = waiting.pop()
        # A process may end at any moment.
        with suppress(OSError):
            stat = _read(f"/proc/{pid}/stat")
            # The name of the command, in parentheses, may contain anything.
            fields = stat[stat.rindex(b")") + 2 :].split()
            ticks += sum(map(int, fields[_UTIME : _CHILDREN_STIME + 1]))
            pages += int(fields[_RSS])
            count += 1
            threads = [str(pid)] if fields[_THREADS] == b"1" else os.listdir(f"/proc/{pid}/task")
            for thread in threads:
                waiting.extend(map(int, _read(f"/proc/{pid}/task/{thread}/children").split()))
    return TreeUsage(ticks / TICKS_PER_S, pages * PAGE_BYTES, count)


async def usage_from_ps(root: int) -> TreeUsage:
    """Ask `ps`, which lists the processes of the whole system."""
    try:
        process = await asyncio.create_subprocess_exec(
            *("ps", "-A", "-o", "pid=,ppid=,rss=,time="),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return TreeUsage(0.0, 0, 0)
    out, _ = await process.communicate()
    return usage_in(out.splitlines(), root)


def usage_in(lines: Iterable[bytes], root: int) -> TreeUsage:
    """Return the usage from lines of `ps`: pid, parent, kilobytes, CPU time as `[[days-]hours:]minutes:seconds`."""
    own: dict[int, tuple[float, int]] = {}
    children: dict[int, list[int]] = {}
    for line in lines:
        found = _LINE.fullmatch(line.strip())
        if found:
            pid, parent, kilobytes = int(found[1]), int(found[2]), int(found[3])
            days, hours, minutes, seconds = (float(part or 0) for part in found.groups()[3:])
            own[pid] = (((days * 24 + hours) * 60 + minutes) * 60 + seconds, kilobytes * 1024)
            children.setdefault(parent, []).append(pid)
    cpu_s, memory, count = 0.0, 0, 0
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        if pid in own:
            # Each process is counted once, even if the list names it as its own ancestor.
            seconds, size = own.pop(pid)
            cpu_s, memory, count = cpu_s + seconds, memory + size, count + 1
            waiting.extend(children.get(pid, []))
    return TreeUsage(cpu_s, memory, count)


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 64 * 1024)
    finally:
        os.close(file)
