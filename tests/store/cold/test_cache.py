"""Test which cold files a process keeps open."""

from __future__ import annotations

import shutil

import pytest

from signalbox.store import Store
from signalbox.store.cold.cache import ColdCache
from signalbox.store.cold.errors import ColdFileMissing
from signalbox.store.cold.pack import pack
from signalbox.store.cold.places.directory import ColdDirectory

NAMES = ("a.cold", "b.cold", "c.cold")


@pytest.fixture
async def digest(kept: Store, place: ColdDirectory) -> str:
    """The digest of the three files at the place."""
    facts = await pack(kept.raw_rows, "t1", place, NAMES[0])  # type: ignore[attr-defined]
    for name in NAMES[1:]:
        shutil.copy(place.path / NAMES[0], place.path / name)
    return facts.digest


def kept_open(cache: ColdCache, place: ColdDirectory, digest: str) -> list[str]:
    """Return the files that are open. Asking counts as a use."""
    ready = {name: cache.ready(place, name, digest) for name in NAMES}
    for cached in ready.values():
        if cached is not None:
            cache.release(cached)
    return [name for name, cached in ready.items() if cached is not None]


def test_the_files_used_last_are_kept_open(place: ColdDirectory, digest: str) -> None:
    cache = ColdCache(files=2)
    for name in NAMES:
        cache.release(cache.open(place, name, digest))
    assert kept_open(cache, place, digest) == ["b.cold", "c.cold"]
    cache.close()


def test_files_in_use_stay_open(place: ColdDirectory, digest: str) -> None:
    cache = ColdCache(files=1)
    in_use = [cache.open(place, name, digest) for name in NAMES]
    assert [len(cached.rows("SELECT 1 FROM tasks", ())) for cached in in_use] == [1, 1, 1]
    for cached in in_use:
        cache.release(cached)
    assert kept_open(cache, place, digest) == ["c.cold"]
    cache.close()


def test_a_file_that_comes_back_is_opened(place: ColdDirectory, digest: str) -> None:
    cache = ColdCache()
    hidden = place.path / "hidden"
    (place.path / "a.cold").rename(hidden)
    with pytest.raises(ColdFileMissing):
        cache.open(place, "a.cold", digest)
    hidden.rename(place.path / "a.cold")
    cache.release(cache.open(place, "a.cold", digest))
    assert kept_open(cache, place, digest) == ["a.cold"]
    cache.close()
