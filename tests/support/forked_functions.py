"""Separate processes for functions of tests. Each is forked from one that has done the imports, and shares nothing.

A module that starts many processes of its own adds itself to `IMPORTED`: whichever module is collected last would
otherwise replace the list.
"""

from __future__ import annotations

import multiprocessing

IMPORTED = ["pytest", "tests.support.cold_kills", "tests.support.deletion_kills"]

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(IMPORTED)
