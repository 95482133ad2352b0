"""A run in a separate process that appends events until they are stored: `python -m e2e.chaos.emitter URL`.

Each input line is `{"task_id": …, "events": [{"event_type": …, "key": …, …}, …]}`. Once all events are committed, it
prints `{"acknowledged": [key, …]}`, or `{"error": …}` for an error that no retry helps.
"""

from __future__ import annotations

import json
import os
import sys
import time

import msgspec

from signalbox.store import NewEvent, Store, StoreError, open_store


def main() -> None:
    url = sys.argv[1]
    store = open_when_available(url)
    for line in sys.stdin:
        batch = json.loads(line)
        try:
            for event in msgspec.convert(batch["events"], list[NewEvent]):
                append(store, batch["task_id"], event)
        except StoreError as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        else:
            print(json.dumps({"acknowledged": [event["key"] for event in batch["events"]]}), flush=True)


def append(store: Store, task_id: str, event: NewEvent) -> None:
    """Append an event and retry until it is stored. Its idempotency key makes retries safe."""
    while True:
        try:
            store.append(task_id, event)
        except StoreError as error:
            if not error.retryable:
                raise
            time.sleep(0.1)
        else:
            return


def open_when_available(url: str) -> Store:
    """Return the store once it can be opened."""
    while True:
        try:
            return open_store(url, bus=os.environ.get("SIGNALBOX_BUS_URL"))
        except StoreError as error:
            if not error.retryable:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    main()
