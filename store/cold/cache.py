"""The cold files that a process reads, with the temporary databases of those that were read last."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from signalbox.store.cold.cached_file import CachedFile
from signalbox.store.cold.file import ColdFile
from signalbox.store.cold.places.place import ColdPlace
from signalbox.store.errors import ColdFileDamaged

CACHE_BYTES = 256 * 1024 * 1024
"""Bytes of temporary databases that are kept. Those that are in use are kept in any case."""

CACHE_FILES = 100
"""Files that are kept. Each has a descriptor, and its connection takes about 230 KB of memory."""

_Key = tuple[str, str, str]
"""The URL of the place, the name of the file, and its digest."""


class _Entry:
    """A file that is open or is being opened."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.cached: CachedFile | None = None
        self.version, self.checked_at = "", 0.0


class ColdCache:
    """Opens cold files. Any thread may call its methods.

    Callers that want the same file at the same time share it: it is opened once.
    """

    def __init__(self, limit: int = CACHE_BYTES, files: int = CACHE_FILES) -> None:
        self._limit, self._files = limit, files
        self._lock = threading.Lock()
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()

    def ready(self, place: ColdPlace, name: str, digest: str) -> CachedFile | None:
        """Return a file if it is open and was checked lately, else None. Does not block. The caller calls `release`."""
        with self._lock:
            entry = self._entries.get((place.url, name, digest))
            if entry is None or entry.cached is None or entry.checked_at + place.check_interval < time.monotonic():
                return None
            self._entries.move_to_end((place.url, name, digest))
            entry.cached.users += 1
            return entry.cached

    def open(self, place: ColdPlace, name: str, digest: str) -> CachedFile:
        """Return a file. Blocks while it is opened. The caller calls `release`.

        A file that was replaced or deleted is opened again. Raises ColdFileDamaged, ColdFileMissing,
        ColdPlaceUnavailable and StoreUnavailable.
        """
        key = (place.url, name, digest)
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
        with entry.lock:
            if entry.cached is None or entry.checked_at + place.check_interval < time.monotonic():
                self._renew(entry, place, name, digest)
            assert entry.cached is not None
            with self._lock:
                entry.cached.users += 1
                self._entries[key] = entry
                self._entries.move_to_end(key)
            return entry.cached

    def _renew(self, entry: _Entry, place: ColdPlace, name: str, digest: str) -> None:
        """Open the file, unless the one that is open is still there."""
        try:
            version = place.version(name)
            if entry.cached is None or entry.version != version:
                opened = CachedFile(ColdFile.open(place, name, digest))
                self._drop(entry)
                entry.cached, entry.version = opened, version
            entry.checked_at = time.monotonic()
        except ColdFileDamaged:
            self._drop(entry)
            raise

    def _drop(self, entry: _Entry) -> None:
        with self._lock:
            old, entry.cached = entry.cached, None
            if old is not None:
                old.dropped = True
                unused = old.users == 0
        if old is not None and unused:
            old.close()

    def release(self, cached: CachedFile) -> None:
        """Say that a file is no longer used. Files that were not used for the longest time are closed."""
        with self._lock:
            cached.users -= 1
            closed = [cached] if cached.dropped and not cached.users else []
            kept = [entry.cached.bytes for entry in self._entries.values() if entry.cached is not None]
            files, sizes = len(kept), sum(kept)
            for key, entry in list(self._entries.items()):
                if sizes <= self._limit and files <= self._files:
                    break
                if entry.cached is not None and not entry.cached.users:
                    files, sizes = files - 1, sizes - entry.cached.bytes
                    closed.append(entry.cached)
                    entry.cached = None
                    del self._entries[key]
        for old in closed:
            old.close()

    def close(self) -> None:
        """Close all files that are not in use. Those in use are closed when they are released."""
        with self._lock:
            entries, self._entries = list(self._entries.values()), OrderedDict()
        for entry in entries:
            self._drop(entry)
