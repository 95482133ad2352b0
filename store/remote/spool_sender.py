"""The process that sends the calls of hooks that a server did not answer. `signalbox hook` starts it.

It gets the server and the token from the environment, ends when nothing waits any more, and gives up after
`GIVE_UP_S`. The next call of a hook starts it again.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from signalbox.store.errors import StoreError
from signalbox.store.remote.connection import Connection
from signalbox.store.remote.delivery import send_records
from signalbox.store.spool.file import SpoolFile
from signalbox.store.spool.place import FILE_NAME, folder_for, max_bytes
from signalbox.store.spool.sender import Sender, locked

GIVE_UP_S = 3600.0
"""Seconds after which the process ends, also while the server is away."""

LOOK_S = 1.0
"""Seconds between two looks whether the folder of the spool still exists."""


def main() -> None:
    """Send what waits for the server of the environment."""
    os.chdir("/")
    with suppress(OSError, RuntimeError, StoreError):
        send_waiting(os.environ["SIGNALBOX_SERVER"], os.environ.get("SIGNALBOX_TOKEN") or None, GIVE_UP_S)


def send_waiting(url: str, token: str | None, timeout: float) -> bool:
    """Send what waits for a server, for at most `timeout` seconds. Returns whether nothing waits.

    Returns False at once if another process does it.
    """
    folder, began = folder_for(url, token), time.monotonic()
    file = SpoolFile(folder / FILE_NAME, url, max_bytes())
    with locked(folder / "sender.lock") as is_ours:
        if not is_ours:
            return False
        connection = Connection(url, token, 0)
        sender = Sender(file, lambda records: send_records(connection, records), lambda text: None)
        try:
            sender.wake()
            while not sender.join(LOOK_S) and folder.exists() and time.monotonic() - began < timeout:
                pass
        finally:
            sender.stop()
            connection.close()
    return not file.has_records()
