"""Test which cold files a process keeps open."""

from __future__ import annotations

import shutil
from contextlib import closing

import pytest

from signalbox.store import NewEvent, Store
from signalbox.store.cold import cached_file
from signalbox.store.cold import pack as packing
from signalbox.store.cold.cache import ColdCache
from signalbox.store.cold.cached_file import CachedFile
from signalbox.store.cold.errors import ColdFileMissing, ColdFileUnreadable
from signalbox.store.cold.file import ColdFile
from signalbox.store.cold.places.directory import ColdDirectory

NAMES = ("a.cold", "b.cold", "c.cold")


@pytest.fixture
async def digest(kept: Store, place: ColdDirectory) -> str:
    """The digest of the three files at the place."""
    facts = await packing.pack(kept.raw_rows, "t1", place, NAMES[0])  # type: ignore[attr-defined]
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


async def test_a_block_that_was_to_make_room_is_read_again_after_the_disk_was_full(
    kept: Store, place: ColdDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "MAX_EVENTS", 50)
    monkeypatch.setattr(cached_file, "MAX_BYTES", 1)
    texts = ["small"] * 50 + ["large " * 1000] * 50
    kept.append("sizes", [NewEvent(event_type="log", payload={"message": text}) for text in texts])
    await packing.pack(kept.raw_rows, "sizes", place, "sizes.cold")  # type: ignore[attr-defined]
    with closing(CachedFile(ColdFile.open(place, "sizes.cold"))) as cached:
        cached.pin([0])
        cached.unpin([0])
        with cached.reading() as database:
            (pages,) = database.execute("PRAGMA page_count").fetchone()
            database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(ColdFileUnreadable, match="full"):
            cached.pin([1])
        with cached.reading() as database:
            database.execute("PRAGMA max_page_count = 100000")
        for number in (0, 1, 0):
            cached.pin([number])
            assert len(cached.rows("SELECT 1 FROM task_events", ())) == 50
            cached.unpin([number])


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
