"""Reading tasks in cold storage in place, for a store."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from signalbox.store.cold.cache import CACHE_BYTES, ColdCache
from signalbox.store.cold.places.place import ColdPlace, open_place
from signalbox.store.cold.view import ColdView
from signalbox.store.contract.values import ColdTask
from signalbox.store.errors import StoreUnavailable
from signalbox.store.sql.views import Views

THREADS = 8
"""Reads of cold files at the same time. They have threads of their own, so that a slow bucket delays nothing else."""


class ColdFiles:
    """Implements `ColdReaders` of `store.sql.cold_reading`. `beside` is the directory for the place ''."""

    def __init__(self, beside: str | None, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._beside = beside
        self._places: dict[str, ColdPlace] = {}
        self._cache = ColdCache(cache_bytes)
        self._executor: ThreadPoolExecutor | None = None
        self._process = os.getpid()

    async def view(self, task: ColdTask, hot: Views) -> ColdView:
        """Return a view of a task in cold storage. The caller calls `release`."""
        place, executor = self.place(task.place), self._threads()
        cached = self._cache.ready(place, task.name, task.sha256)
        if cached is None:
            opening = asyncio.get_running_loop().run_in_executor(
                executor, self._cache.open, place, task.name, task.sha256
            )
            try:
                cached = await asyncio.shield(opening)
            except asyncio.CancelledError:
                opening.add_done_callback(lambda opened: opened.exception() or self._cache.release(opened.result()))
                raise
        return ColdView(cached, hot, executor)

    def release(self, view: Views) -> None:
        """Say that a view is no longer used."""
        assert isinstance(view, ColdView)
        self._cache.release(view.cached)

    def place(self, url: str) -> ColdPlace:
        """Return the place with this URL. Raises InvalidEvent and ColdPlaceUnavailable."""
        if url not in self._places:
            if not url and self._beside is None:
                raise StoreUnavailable("the place of the cold files of this store is not known", retry_after=30)
            self._places[url] = open_place(url or str(self._beside))
        return self._places[url]

    def _threads(self) -> ThreadPoolExecutor:
        if self._executor is None or self._process != os.getpid():
            self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="signalbox-cold")
            self._process = os.getpid()
        return self._executor

    def close(self) -> None:
        """Close all files."""
        self._cache.close()
        if self._executor is not None and self._process == os.getpid():
            self._executor.shutdown(wait=False)
            self._executor = None
