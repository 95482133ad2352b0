"""A run in a separate process that appends to a store at a requested rate.

It reads commands as JSON lines, `{"rate": events/s, "group": events per append, "seconds": s}`, and answers each with
the number of emitted events and the largest delay of an append.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from bench.event import payload
from signalbox.store import NewEvent, Store, open_store


def emit(
    store: Store, tasks: list[str], rate: float, group: int, seconds: float, mark: bool = False
) -> dict[str, float]:
    """Append `rate` events a second in total, in groups of `group`, to each task in turn."""
    began, cpu, appends, behind = time.monotonic(), time.process_time(), 0, 0.0
    while (due := began + appends * group / rate) < began + seconds:
        late = time.monotonic() - due
        if late < 0:
            time.sleep(-late)
        behind = max(behind, late)
        events = [NewEvent(event_type="log", payload=payload(mark=mark)) for _ in range(group)]
        store.append(tasks[appends % len(tasks)], events)
        appends += 1
    taken = time.monotonic() - began
    cpu_s = time.process_time() - cpu
    return {"emitted": appends * group, "seconds": taken, "behind_ms": behind * 1000, "cpu_s": cpu_s}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", required=True)
    parser.add_argument("--tasks", type=int, default=1)
    options = parser.parse_args()
    store = open_store(options.store)
    tasks = [f"bench-{number}" for number in range(options.tasks)]
    for task_id in tasks:
        store.create_task(task_id)
    print(json.dumps({"tasks": tasks}), flush=True)
    for line in sys.stdin:
        print(json.dumps(emit(store, tasks, **json.loads(line))), flush=True)
    store.close()


if __name__ == "__main__":
    main()
