"""The use of each resource of a deployment under a load, and its first bottleneck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bench.simulation.costs import BUS_DELIVERIES, FLUSH_INTERVAL, MEMORY_GB, MIN_WAKE_INTERVAL, Costs

SAFE = 0.7
"""The share of a resource up to which its queues stay short."""

DATABASE_CORES = 8
"""Cores of each database server and of each replica."""


@dataclass(frozen=True)
class Load:
    """Events per second, in commits of `group`, and viewers, who each follow a task with `watched_rate` events/s."""

    events: float
    group: float
    viewers: float
    viewers_per_task: float = 10
    watched_rate: float = 1.0


@dataclass(frozen=True)
class Deployment:
    """`databases` share the tasks by hash. Each has `web` processes on a core each, and `replicas` that they read from.

    With `by_task` the proxy sends all requests of a task to the same process. With `edges`, viewers are connected to
    processes that only repeat streams, and each task has one stream to each edge that needs it.
    """

    costs: Costs
    databases: int = 1
    web: int = 1
    replicas: int = 0
    edges: int = 0
    by_task: bool = False
    bus: bool = False

    @property
    def machines(self) -> int:
        """Machines with eight cores, two of them spare on those of web processes and edges. SQLite needs one."""
        if not self.bus:
            return 1
        processes = self.databases * self.web + self.edges
        return -(-processes // 6) + self.databases * (1 + self.replicas) + -(-self.databases // 8)


def use(load: Load, deployment: Deployment) -> Mapping[str, float]:
    """Return the share of each resource that the load needs. Above 1 the deployment cannot carry it."""
    costs, per = deployment.costs, 1 / deployment.databases
    events, commits = load.events * per, load.events / load.group * per
    tasks = load.viewers / load.viewers_per_task * per
    connected = load.viewers * per
    if deployment.edges:
        # An edge needs one stream for each task that one of its viewers watches.
        connected = deployment.edges * _spread(tasks, load.viewers_per_task, deployment.edges)
    viewers_of_one = connected / max(tasks, 1e-9)
    followed = tasks / deployment.web if deployment.by_task else _spread(tasks, viewers_of_one, deployment.web)
    reading = deployment.web * events * costs.serve_read
    rounds = min(commits, 1 / MIN_WAKE_INTERVAL)
    found = {
        "write lock": (commits * costs.commit + events * costs.event) / 1e6,
        "CPU of the database": (events * costs.event + (0 if deployment.replicas else reading)) / 1e6 / DATABASE_CORES,
        "CPU of a web process": (
            events * costs.read
            + rounds * costs.wake
            + _writes(load) * followed * costs.frame
            + _serving(load, connected / deployment.web, costs)
        )
        / 1e6,
        "memory of a web process": (connected / deployment.web * costs.stream_kb + followed * costs.task_kb)
        / 1e6
        / MEMORY_GB,
    }
    if deployment.replicas:
        found["CPU of a replica"] = reading / deployment.replicas / 1e6 / DATABASE_CORES
    if deployment.bus:
        # Each writing process sends at most one message in each interval, to all web processes of its database.
        found["bus of a database"] = min(commits, deployment.web / MIN_WAKE_INTERVAL) * deployment.web / BUS_DELIVERIES
    if deployment.edges:
        found["CPU of an edge"] = _serving(load, load.viewers / deployment.edges, costs) / 1e6
        found["memory of an edge"] = load.viewers / deployment.edges * costs.stream_kb / 1e6 / MEMORY_GB
    return found


def _serving(load: Load, streams: float, costs: Costs) -> float:
    """Return the microseconds per second that a process needs to write to its streams."""
    return streams * (_writes(load) * costs.write + load.watched_rate * costs.deliver)


def _writes(load: Load) -> float:
    """Return how often per second a watched task has something new to write."""
    return min(load.watched_rate, 1 / FLUSH_INTERVAL)


def _spread(tasks: float, viewers: float, processes: int) -> float:
    """Return the tasks with a viewer in one of `processes`, if each has `viewers` who are spread at random."""
    return tasks * (1 - (1 - 1 / processes) ** viewers)


def bottleneck(load: Load, deployment: Deployment) -> tuple[str, float]:
    """Return the resource with the highest use, and its use."""
    shares = use(load, deployment)
    name = max(shares, key=lambda resource: shares[resource])
    return name, shares[name]


def most(load: Load, deployment: Deployment) -> float:
    """Return the factor by which events and viewers may grow until the first resource reaches `SAFE`."""
    low, high = 0.0, 1000.0
    for _ in range(50):
        factor = (low + high) / 2
        grown = replace(load, events=factor * load.events, viewers=factor * load.viewers)
        low, high = (factor, high) if bottleneck(grown, deployment)[1] < SAFE else (low, factor)
    return low
