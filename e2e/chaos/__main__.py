"""`python -m e2e.chaos [--seed N …] [--faults N] [--store postgresql]`: inject random faults, and check everything.

A seed determines every fault, its duration and all written events, so a failed seed can be run again on its own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from e2e.browser import launch
from e2e.chaos import checks
from e2e.chaos.faults import FAULTS, Fault
from e2e.chaos.world import World

FAULTS_PER_TASK = 25
"""Number of faults after which the runs end and new tasks start."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m e2e.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, nargs="+", default=list(range(1, 9)), help="which seeds (1 to 8)")
    parser.add_argument("--faults", type=int, default=250, help="faults for each seed (250)")
    parser.add_argument("--only", nargs="+", choices=[fault.name for fault in FAULTS], help="these kinds of fault")
    parser.add_argument(
        "--store",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="one process with a file, or three with PostgreSQL and Redis behind nginx (sqlite)",
    )
    options = parser.parse_args()
    faults, errors = 0, 0
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for seed in options.seed:
            fault_count, error_count = run(seed, options.faults, browser, options.only or (), options.store)
            faults, errors = faults + fault_count, errors + error_count
        browser.close()
    print(f"{faults} faults, {errors} wrong statuses")
    return 1 if errors else 0


def run(
    seed: int, count: int, browser: Browser, only: tuple[str, ...] | list[str] = (), store: str = "sqlite"
) -> tuple[int, int]:
    """Run one seed, and return the number of faults and the number of wrong statuses."""
    started_at, kinds = time.monotonic(), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="signalbox-chaos-") as folder:
        world = World(seed, Path(folder), browser, store)
        possible = [fault for fault in FAULTS if fault.possible(world) and (not only or fault.name in only)]
        left_out = sorted({fault.name for fault in FAULTS if not fault.possible(world)})
        try:
            for number in range(count):
                if number % FAULTS_PER_TASK == 0:
                    world.start_tasks()
                    checks.check_all(world)
                fault = world.rng.choices(possible, [fault.weight for fault in possible])[0]
                kinds[fault.name] += 1
                inject(world, fault)
                for error in world.new_errors():
                    print(f"  seed {seed}: {error}", file=sys.stderr, flush=True)
        except Exception:
            world.record_error(f"the harness stopped: {traceback.format_exc()}")
            print(f"  seed {seed}: {world.errors[-1]}", file=sys.stderr, flush=True)
        finally:
            world.close()
        if "Traceback" in (log := world.installation.log()):
            world.errors.append("a server printed a traceback")
            print(log[log.index("Traceback") :], file=sys.stderr)
    elapsed = time.monotonic() - started_at
    summary = ", ".join(f"{name} {times}" for name, times in sorted(kinds.items()))
    print(f"seed {seed}: {sum(kinds.values())} faults, {len(world.errors)} wrong statuses, {elapsed:.0f} s ({summary})")
    if left_out:
        print(f"  not possible on this machine: {', '.join(left_out)}")
    if world.errors:
        print(f'  again: make chaos ARGS="--seed {seed} --faults {count} --store {store}"')
    sys.stdout.flush()
    return sum(kinds.values()), len(world.errors)


def inject(world: World, fault: Fault) -> None:
    """Let all writers write, inject a fault for a while, repair it, and check everything."""
    world.faults.append(fault.name)
    world.choose_server()
    long = fault.max_seconds > 2
    duration = world.rng.uniform(fault.max_seconds * 0.8 if long else 0.02, fault.max_seconds)
    world.write(6)
    world.pause(world.rng.uniform(0, 0.05))
    broken = fault.apply(world)
    next(broken)
    world.pause(duration)
    next(broken, None)
    world.write(2)
    checks.check_all(world)


if __name__ == "__main__":
    sys.exit(main())
