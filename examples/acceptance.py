"""A manual acceptance test of the live channel: `python examples/acceptance.py [SERVER]`, with the demo page open.

It starts a run that emits an event twice a second. For each step it prints what to do on the page and what the page
must show, and asks whether it did. The exit code is 0 if every answer was yes.
"""

import sys
import threading
from contextlib import closing

from signalbox.store import open_task
from signalbox.store.remote import RemoteLog

STEPS = (
    (
        "Open {server}/demo?task={task}",
        "The status is 'Connected'. Twice a second a row appears at the top, and the strip gets a bar.",
    ),
    (
        "Press 'Simulate offline (5 s)'",
        "The status changes at once to 'Reconnecting' and counts down: 'Retry in 1 s', then 2, then 4. The strip is\n"
        "grey. Within 8 seconds the status is 'Connected' again, and all rows of the meantime are there. Reconnects\n"
        "is 1, and Order still says 'each once and in order'.",
    ),
    (
        "Press 'Drop the next 3 events'",
        "Within 3 seconds three rows appear together, in order and marked 'recovered'.\n"
        "Gaps found and Gaps recovered are both 1, and the debug log names the three seqs.",
    ),
    (
        "Stop the server with Ctrl-C, wait a moment, and start it again",
        "While the server is stopped the status is 'Reconnecting'. Afterwards the page and this script's run\n"
        "continue, and no row is missing.",
    ),
    (
        "Open {server}/tasks/{task} and switch the browser's network off and on (F12, Network, Offline)",
        "The page says 'Offline since …' and its clock stops; then it says 'Live · #…' and shows every row.",
    ),
)


def main(server: str) -> int:
    seen = []
    with (
        closing(RemoteLog(server)) as log,
        open_task(log, title="Acceptance by hand", kind="acceptance") as task,
    ):
        finished = threading.Event()

        def emit() -> None:
            with task.phase("executing") as phase:
                number = 0
                while not finished.wait(0.5):
                    number += 1
                    phase.log(f"event number {number}")

        emitter = threading.Thread(target=emit)
        emitter.start()
        try:
            for number, (todo, expected) in enumerate(STEPS, 1):
                print(f"\n{number}. {todo.format(server=server, task=task.task_id)}")
                print("   Expected: " + expected.replace("\n", "\n             "))
                seen.append(input("   Did you see it? [Y/n] ").strip().lower() in ("", "y", "yes"))
        finally:
            finished.set()
            emitter.join()
    failed = [str(number) for number, ok in enumerate(seen, 1) if not ok]
    print(f"\nNot as expected: step {', '.join(failed)}" if failed else "\nEverything was as expected.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://127.0.0.1:8000"))
