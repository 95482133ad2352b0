"""Lines of logs as programs write them: servers, tests, compilers, installers, databases, agents.

The words of the prose are those of Python's standard library, so frequent and rare words are as frequent and as rare as
in real texts, and pieces of three letters are shared between words as they are there.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

Line = Callable[[random.Random], str]

MIN_CHARS = 25
"""Characters of the shortest line of prose or of code."""


def _request(chance: random.Random) -> str:
    address = f"10.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(256)}"
    path = f"/api/{chance.choice(_words())}/{chance.randrange(100_000)}"
    status = chance.choices((200, 201, 304, 404, 500), (80, 8, 6, 5, 1))[0]
    return f'{address} "{chance.choice(("GET", "POST"))} {path} HTTP/1.1" {status} {chance.randrange(90_000)}'


def _test(chance: random.Random) -> str:
    name = f"tests/test_{chance.choice(_words())}.py::test_{chance.choice(_words())}_{chance.choice(_words())}"
    outcome = chance.choices(("PASSED", "SKIPPED", "FAILED"), (95, 4, 1))[0]
    return f"{name} {outcome} [{chance.randrange(101):>3}%] in {chance.random():.3f}s"


def _batch(chance: random.Random) -> str:
    took = f"batch {chance.randrange(10**6)} in {chance.random() * 90:.1f} ms"
    return f"2026-11-27 16:{chance.randrange(60):02}:{chance.randrange(60):02},{chance.randrange(1000):03} INFO {took}"


def _trace(chance: random.Random) -> str:
    return f"trace_id={chance.getrandbits(128):032x} span_id={chance.getrandbits(64):016x} {chance.choice(_words())} ok"


def _frame(chance: random.Random) -> str:
    return f'  File "/srv/app/{chance.choice(_words())}.py", line {chance.randrange(900)}, in {chance.choice(_words())}'


def _query(chance: random.Random) -> str:
    table, column = chance.choice(_words()), chance.choice(_words())
    return f"SELECT * FROM {table} WHERE {column} = {chance.randrange(10**6)} -- {chance.random() * 50:.2f} ms"


def _install(chance: random.Random) -> str:
    version = f"{chance.randrange(9)}.{chance.randrange(20)}.{chance.randrange(9)}"
    return f"Collecting {chance.choice(_words())}-{chance.choice(_words())}=={version} ({chance.randrange(900)} kB)"


def _prose(chance: random.Random) -> str:
    return chance.choice(_lines())


LINES: dict[str, Line] = {
    "server": _request,
    "tests": _test,
    "import": _batch,
    "traced": _trace,
    "crash": _frame,
    "database": _query,
    "install": _install,
    "agent": _prose,
}
"""What makes a line of each kind of run."""


def mixed(kind: str, chance: random.Random) -> str:
    """Return a line of a run of this kind: most are of its kind, and a fifth is prose or code."""
    return (LINES[kind] if chance.random() < 0.8 else _prose)(chance)


@cache
def _lines() -> list[str]:
    return [line.strip() for text in _texts() for line in text.splitlines() if len(line.strip()) >= MIN_CHARS]


@cache
def _words() -> list[str]:
    found = re.findall(r"[a-z]{3,}", " ".join(_texts()))
    return random.Random(3).sample(found, 50_000)


@cache
def _texts() -> list[str]:
    return [module.read_text(errors="replace") for module in sorted(Path(os.__file__).parent.glob("*.py"))]
