"""Progress bars that are also on the page: `python examples/progress_bars.py`, with tqdm and rich installed."""

from __future__ import annotations

import time

from signalbox.integrations.rich import SignalboxProgress
from signalbox.integrations.tqdm import tqdm


def main() -> None:
    for _ in tqdm(range(30), desc="download"):
        time.sleep(0.05)
    with SignalboxProgress() as progress:
        outer = progress.add_task("epochs", total=3)
        for epoch in range(3):
            for _ in progress.track(range(20), description=f"epoch {epoch + 1}"):
                time.sleep(0.02)
            progress.advance(outer)


if __name__ == "__main__":
    main()
