"""Event by event: the time from an append to the write that shows it to the viewers of one web process."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from bench.simulation.costs import FLUSH_INTERVAL, MIN_WAKE_INTERVAL
from bench.simulation.deployment import Deployment, Load
from signalbox.webapp.live.pace import PAUSE_FACTOR


@dataclass(frozen=True)
class Latency:
    """Milliseconds until 50 and 99 of 100 events are written to all streams of a process, and the number of events."""

    p50: float
    p99: float
    events: int


def simulate(load: Load, deployment: Deployment, seconds: float = 20.0, seed: int = 1) -> Latency:
    """Play `seconds` of the load on one database and one of its web processes."""
    committed = _commits(load, deployment, seconds, random.Random(seed))
    costs = deployment.costs
    per_database = load.viewers / deployment.databases
    streams = per_database / deployment.web
    tasks = max(1.0, per_database / load.viewers_per_task)
    followed = max(1.0, tasks / deployment.web if deployment.by_task else min(tasks, streams))
    watched = min(1.0, load.watched_rate * tasks / (load.events / deployment.databases))
    waited: list[float] = []
    clock, at = 0.0, 0
    while at < len(committed):
        clock = max(clock, committed[at][1])
        end = at
        while end < len(committed) and committed[end][1] <= clock:
            end += 1
        events = sum(committed[n][2] for n in range(at, end))
        # A round renders and writes what the tasks with new events show.
        per_task = events * watched / tasks
        busy = 1 - math.exp(-per_task)
        cost = costs.wake + events * costs.read + followed * busy * costs.frame
        cost += streams * (busy * costs.write + per_task * costs.deliver)
        done = clock + cost / 1e6
        for began, _, size in committed[at:end]:
            waited += [done - began] * size
        clock = done + min(FLUSH_INTERVAL, max(MIN_WAKE_INTERVAL, PAUSE_FACTOR * cost / 1e6))
        at = end
    waited.sort()
    return Latency(waited[len(waited) // 2] * 1000, waited[len(waited) * 99 // 100] * 1000, len(waited))


def _commits(
    load: Load, deployment: Deployment, seconds: float, chance: random.Random
) -> list[tuple[float, float, int]]:
    """Return (time of the append, time of the commit, events) for appends that arrive at random."""
    costs, group = deployment.costs, max(1, round(load.group))
    rate = load.events / deployment.databases / group
    hold = (costs.commit + group * costs.event) / 1e6
    found: list[tuple[float, float, int]] = []
    now = free = 0.0
    while (now := now + chance.expovariate(rate)) < seconds:
        free = max(free, now) + hold
        found.append((now, free, group))
    return found
