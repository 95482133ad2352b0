"""Measure Signalbox and print one table: `python -m bench [--scale NAME] [--against REV] [SCENARIO…]`."""

from __future__ import annotations

import argparse
import contextlib
import resource
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

from bench import against
from bench.load.client import build
from bench.noise import Noise
from bench.scenarios import SCALES, Scale
from bench.scenarios.append import append
from bench.scenarios.capacity import capacity
from bench.scenarios.console import console
from bench.scenarios.cut import cut
from bench.scenarios.fanout import fanout
from bench.scenarios.history import history
from bench.scenarios.latency import latency
from bench.scenarios.logging import logging
from bench.scenarios.pages_on_postgresql import pages_on_postgresql
from bench.scenarios.payloads import payload_sizes
from bench.scenarios.postgresql import postgresql
from bench.scenarios.record import record
from bench.scenarios.search import search
from bench.scenarios.spans import spans
from bench.scenarios.stalled import stalled
from bench.scenarios.start import start
from bench.scenarios.unwatched import unwatched
from bench.scenarios.watched import watched
from bench.table import Row, machine, render, write

SCENARIOS: dict[str, Callable[[Scale], Iterable[Row]]] = {
    "start": start,
    "append": append,
    "payloads": payload_sizes,
    "postgresql": postgresql,
    "pages-on-postgresql": pages_on_postgresql,
    "record": record,
    "history": history,
    "search": search,
    "console": console,
    "latency": latency,
    "spans": spans,
    "logging": logging,
    "cut": cut,
    "fanout": fanout,
    "capacity": capacity,
    "stalled": stalled,
    "unwatched": unwatched,
    "watched": watched,
}
RESULTS = Path(__file__).parent / "results.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)} (all)")
    parser.add_argument(
        "--scale",
        choices=SCALES,
        help="how much is measured: full (the default), large, quick, or brief (with --against)",
    )
    parser.add_argument(
        "--against", metavar="REV", help="measure another version too, alternating with this one, and compare the two"
    )
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs of each scenario, with --against (3)")
    options = parser.parse_args()
    if unknown := set(options.scenarios) - SCENARIOS.keys():
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    _allow_many_sockets()
    if options.against:
        scenarios = options.scenarios or list(SCENARIOS)
        return against.run(options.against, scenarios, rounds=options.rounds, scale=options.scale or "brief")
    scale = options.scale or "full"
    machine_facts, rows, failed = machine(), list[Row](), list[str]()
    client = build()
    machine_facts["load_client"] = (
        "compiled" if len(client) == 1 else "Python, because there is no C compiler; it uses more CPU"
    )
    noise = dict[str, float | None]()
    for name in options.scenarios or SCENARIOS:
        print(f"{name} …", file=sys.stderr, flush=True)
        others = Noise()
        try:
            for row in SCENARIOS[name](SCALES[scale]):
                rows.append(row)
                print("  " + "  ".join(filter(None, row.cells())), file=sys.stderr, flush=True)
        except Exception:
            failed.append(name)
            traceback.print_exc()
        noise[name] = others.cores()
    write(RESULTS, {**machine_facts, "scale": scale, "failed": failed, "cores_used_by_others": noise}, rows)
    print(render(rows))
    print("\n" + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine_facts.items()))
    busy = [f"{name} {cores:.1f}" for name, cores in noise.items() if cores is not None]
    print("cores used by other processes during each scenario: " + (", ".join(busy) or "unknown on this system"))
    for name in failed:
        print(f"{name} could not be measured; see above", file=sys.stderr)
    return 1 if failed else 0


def _allow_many_sockets() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    sys.exit(main())
