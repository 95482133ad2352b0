"""Print the tables of docs/capacity.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bench.simulation.costs import POSTGRESQL, SQLITE
from bench.simulation.deployment import Deployment, Load, bottleneck, most, use
from bench.simulation.latency import simulate

ONE = Deployment(POSTGRESQL, web=6, bus=True)
MANY = Deployment(POSTGRESQL, databases=32, web=6, by_task=True, bus=True)
MILLION = Load(100_000, 50, 1_000_000)
CROWDS = Load(100_000, 50, 1_000_000, viewers_per_task=1000)

STEPS: list[tuple[str, Load, Deployment]] = [
    ("1 process, SQLite", Load(1_000, 10, 3_000), Deployment(SQLITE)),
    ("4 workers, SQLite", Load(2_000, 20, 8_000), Deployment(SQLITE, web=4)),
    ("PostgreSQL, Redis, 6 web processes", Load(4_000, 50, 8_000), ONE),
    ("the same, requests by task", Load(4_000, 50, 24_000), replace(ONE, by_task=True)),
    ("20 web processes, by task", Load(6_000, 50, 60_000), replace(ONE, web=20, by_task=True)),
    ("60 web processes, by task", Load(6_000, 50, 180_000), replace(ONE, web=60, by_task=True)),
    ("60 web processes, 2 replicas", Load(6_000, 50, 180_000), replace(ONE, web=60, by_task=True, replicas=2)),
    ("16 databases, each with 18 web processes", MILLION, replace(MANY, databases=16, web=18)),
    ("32 databases, each with 6 web processes", MILLION, MANY),
    ("the same, 1,000 viewers of each task", CROWDS, MANY),
    ("the same, 30 edges, 2 web processes each", CROWDS, replace(MANY, web=2, edges=30)),
]


def main() -> None:
    print("| deployment | machines | events/s | viewers | most used | p50 / p99 | carries |")
    print("|---|---|---|---|---|---|---|")
    for name, load, deployment in STEPS:
        print(row(name, load, deployment))
    print()
    for line in growth():
        print(line)


def row(name: str, load: Load, deployment: Deployment) -> str:
    """Return the line of a deployment in the table."""
    resource, share = bottleneck(load, deployment)
    latency = simulate(load, deployment)
    times = f"{latency.p50:,.0f} / {latency.p99:,.0f} ms" if not deployment.edges else ""
    return (
        f"| {name} | {deployment.machines} | {load.events:,.0f} | {load.viewers:,.0f} | {resource} {share:.0%}"
        f" | {times} | {most(load, deployment):.1f} × |"
    )


def growth() -> Iterator[str]:
    """Yield a table: what doubling each number of a load or a deployment does to the resources."""
    load, deployment = Load(2_000, 50, 4_000), ONE
    changed = {
        "as it is": (load, deployment),
        "twice the viewers": (replace(load, viewers=2 * load.viewers), deployment),
        "twice the events": (replace(load, events=2 * load.events), deployment),
        "twice the events, in commits of twice the size": (
            replace(load, events=2 * load.events, group=2 * load.group),
            deployment,
        ),
        "twice the events of each watched task": (replace(load, watched_rate=2 * load.watched_rate), deployment),
        "twice the tasks that are watched, by the same viewers": (
            replace(load, viewers_per_task=load.viewers_per_task / 2),
            deployment,
        ),
        "twice the web processes": (load, replace(deployment, web=2 * deployment.web)),
        "requests of a task always to the same process": (load, replace(deployment, by_task=True)),
    }
    names = list(use(load, deployment))
    yield f"| | {' | '.join(names)} |"
    yield f"|---|{'---|' * len(names)}"
    for name, pair in changed.items():
        yield f"| {name} | {' | '.join(f'{use(*pair)[resource]:.0%}' for resource in names)} |"


if __name__ == "__main__":
    main()
