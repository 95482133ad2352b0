"""Stores with a long, varied log, and their cold files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest

from signalbox.store import Store, open_store
from signalbox.store.artifacts import PIECE_BYTES
from signalbox.store.cold.places.directory import ColdDirectory
from tests.store.contract.conftest import KINDS
from tests.support.varied_log import record, varied_log

SIZE = 700
MOVED = 400
"""The events of each task of `store`, but the last one of those that have ended."""

ARTIFACT = bytes(range(256)) * (PIECE_BYTES // 200)


@pytest.fixture(scope="module", params=KINDS)
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store of each kind with the task `t0`, which has ended and has two artifacts, and `t1`."""
    create: Callable[[Path], str] = request.param
    store = open_store(create(tmp_path_factory.mktemp("store")))
    for number in (0, 1):
        store.import_task(record(f"t{number}", number), varied_log(f"t{number}", SIZE, number, ended=number == 0))
    store.add_artifact("t0", BytesIO(ARTIFACT), "big.bin")
    store.add_artifact("t0", BytesIO(b"<b>hi</b>"), "report.html")
    yield store
    store.close()


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    create: Callable[[Path], str] = request.param
    return create(tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def store(url: str, files: Path) -> Iterator[Store]:
    """A store with `t0` and `t2`, which have ended, and `t1`, which waits for an answer."""
    opened = open_store(url, cold_storage=str(files))
    for number in range(3):
        opened.import_task(record(f"t{number}", number), varied_log(f"t{number}", MOVED, number, ended=number != 1))
    yield opened
    opened.close()


@pytest.fixture
def place(tmp_path: Path) -> ColdDirectory:
    return ColdDirectory(tmp_path / "cold")
