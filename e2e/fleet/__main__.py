"""`python -m e2e.fleet`: kill web processes, Redis and PostgreSQL at random, and check what every viewer was shown.

The seed determines which parts are killed and what the runs append.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from e2e.browser import launch
from e2e.fleet.proof import Proof


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m e2e.fleet", description=__doc__)
    parser.add_argument("--viewers", type=int, default=300, help="viewers outside the browser (300)")
    parser.add_argument("--writers", type=int, default=10, help="runs that append (10)")
    parser.add_argument("--seconds", type=float, default=300, help="how long parts are killed (300)")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is checked meanwhile (5)")
    parser.add_argument("--seed", type=int, default=1, help="which run (1)")
    options = parser.parse_args()
    began = time.monotonic()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory(prefix="signalbox-fleet-") as folder:
        browser = launch(playwright)
        proof = Proof(options.seed, Path(folder), browser, options.viewers, options.writers)
        proof.run(options.seconds, options.rounds)
        browser.close()
    for error in proof.errors[:50]:
        print(error, file=sys.stderr)
    print(f"{proof.report()}\n{time.monotonic() - began:.0f} s")
    return 1 if proof.errors else 0


if __name__ == "__main__":
    sys.exit(main())
