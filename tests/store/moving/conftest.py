"""Databases for the tests of moves."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.support import postgres
from tests.support.shared_postgres import create_database

SQLITE, POSTGRESQL = "sqlite", "postgresql"
KINDS = [SQLITE, POSTGRESQL] if postgres.programs() is not None else [SQLITE]
PROGRAMS = [pytest.mark.programs] if POSTGRESQL in KINDS else []
PAIRS = [
    pytest.param((source, target), id=f"{source}-to-{target}", marks=PROGRAMS) for source in KINDS for target in KINDS
]
OTHER_KINDS = [pair for pair in PAIRS if pair.values[0][0] != pair.values[0][1]] or PAIRS[:1]
"""The pairs of two different kinds, or files alone if there is no PostgreSQL here."""


@pytest.fixture
def new_url(tmp_path: Path) -> Callable[[str], str]:
    """Return a function that returns the URL of a new database of a kind."""
    numbers = count()

    def create(kind: str) -> str:
        return create_database(empty=True) if kind == POSTGRESQL else f"sqlite:///{tmp_path}/store-{next(numbers)}.db"

    return create


@pytest.fixture
def urls(pair: tuple[str, str], new_url: Callable[[str], str]) -> tuple[str, str]:
    """Return the URLs of the source and of the target."""
    return new_url(pair[0]), new_url(pair[1])
