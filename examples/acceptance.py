"""A walk through the live channel by hand: `python examples/acceptance.py [SERVER]`, with the demo page in a browser.

It starts a run that says something twice a second, tells step by step what to do on the page and what must be seen
there, and asks whether it was. The exit code is 0 if all of it was.
"""

import sys
import threading
from contextlib import closing

from signalbox.store import open_task
from signalbox.store.remote import RemoteLog

STEPS = (
    (
        "Open {server}/demo?task={task}",
        "The status is 'Connected'. Twice a second a row appears on top, and the strip gets a bar.",
    ),
    (
        "Press 'Simulate offline (5 s)'",
        "At once the status is 'Reconnecting' and counts down: 'Retry in 1 s', then 2, then 4. The strip is grey.\n"
        "Within 8 seconds it is 'Connected' again, and all rows of the meantime are there. Reconnects is 1,\n"
        "and Order still says 'each once and in order'.",
    ),
    (
        "Press 'Drop the next 3 events'",
        "Within 3 seconds three rows appear together, marked 'recovered', at their place in the order.\n"
        "Gaps found and Gaps recovered are both 1, and the debug log names the three seqs.",
    ),
    (
        "Stop the server with Ctrl-C, wait a moment, and start it again",
        "While it is away the status is 'Reconnecting'. Then everything goes on, also this script's run,\n"
        "and nothing is missing.",
    ),
    (
        "Open {server}/tasks/{task} and switch the network of the browser off and on (F12, Network, Offline)",
        "The page says 'offline since …' and its clock stands still; then 'live at #…', with every row of the log.",
    ),
)


def main(server: str) -> int:
    seen = []
    with (
        closing(RemoteLog(server)) as log,
        open_task(log, title="Acceptance by hand", kind="acceptance") as task,
    ):
        over = threading.Event()

        def speak() -> None:
            with task.phase("executing") as phase:
                number = 0
                while not over.wait(0.5):
                    number += 1
                    phase.log(f"event number {number}")

        speaker = threading.Thread(target=speak)
        speaker.start()
        try:
            for number, (todo, expected) in enumerate(STEPS, 1):
                print(f"\n{number}. {todo.format(server=server, task=task.task_id)}")
                print("   Expected: " + expected.replace("\n", "\n             "))
                seen.append(input("   Did you see it? [Y/n] ").strip().lower() in ("", "y", "yes"))
        finally:
            over.set()
            speaker.join()
    failed = [str(number) for number, ok in enumerate(seen, 1) if not ok]
    print(f"\nNot as expected: step {', '.join(failed)}" if failed else "\nAll of it was as expected.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://127.0.0.1:8000"))
