"""The CPU and the memory of a command: sampled, reported with heartbeats, folded into thin lines."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from signalbox.store import NewEvent, open_store
from signalbox.store.projections.resources import BUCKETS, Sample, added
from signalbox.store.sqlite import SqliteStore
from signalbox.store.times import timestamp
from signalbox.webapp.process import process_tree, resource_sampler
from signalbox.webapp.process.process_tree import TreeUsage, usage_from_proc, usage_from_ps, usage_in, usage_of_tree
from signalbox.webapp.process.resource_sampler import ResourceSampler, resources
from tests.support.dom import parse
from tests.support.rendering import page
from tests.support.short_run import log_of
from tests.support.waiting import wait_until

PARENT = "import subprocess, sys; [subprocess.Popen([sys.executable, '-c', 'input()']) for _ in range(2)]; input()"


@pytest.fixture
def tree() -> Iterator[subprocess.Popen[bytes]]:
    """Start a process with two children, which end with their input."""
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    yield process
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def usage(pid: int) -> TreeUsage:
    return asyncio.run(usage_of_tree(pid))


def test_a_tree_is_measured_with_its_descendants(tree: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: usage(tree.pid).processes == 3)
    listed = asyncio.run(usage_from_ps(tree.pid))
    assert listed.processes == 3
    assert 3_000_000 < listed.memory < 300_000_000
    # The processes need more memory while they start.
    wait_until(lambda: asyncio.run(usage_from_ps(tree.pid)).memory == pytest.approx(usage(tree.pid).memory, rel=0.5))


@pytest.mark.skipif(not process_tree.HAS_PROC, reason="this system has no /proc")
def test_a_sample_of_fifty_processes_takes_about_a_millisecond(tree: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: usage(tree.pid).processes == 3)
    started = time.process_time()
    for _ in range(100):
        usage_from_proc(tree.pid)
    assert (time.process_time() - started) / 100 / 3 * 50 < 0.003


def test_the_usage_of_a_process_that_has_ended_is_zero() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert usage(process.pid) == TreeUsage(0.0, 0, 0)
    assert asyncio.run(usage_from_ps(process.pid)) == TreeUsage(0.0, 0, 0)


def test_the_times_of_ps_are_read_on_linux_and_macos() -> None:
    lines = [b"  10     1  1000   0:01.50", b"11 10 2000 01:02:03", b"12 11 500 2-00:00:01", b"13 1 9 0:09", b"garbage"]
    assert usage_in(lines, 10) == TreeUsage(1.5 + 3723 + 172801, 3500 * 1024, 3)
    assert usage_in([b"5 5 1 0:01"], 5) == TreeUsage(1.0, 1024, 1)


def test_cpu_is_in_per_cent_of_one_core_and_never_negative() -> None:
    before, after = TreeUsage(10.0, 0, 1), TreeUsage(20.0, 5_000, 2)
    assert resources(before, after, 5.0) == {"cpu": 200.0, "memory": 5_000, "processes": 2}
    assert resources(after, before, 5.0)["cpu"] == 0.0


async def test_a_sample_that_differs_little_is_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    usages = [TreeUsage(0.0, 0, 1), *[TreeUsage(0.0, memory, 1) for memory in (1000, 1001, 1000, 2000)]]
    all_read = asyncio.Event()

    async def next_usage(root: int) -> TreeUsage:
        if not usages:
            all_read.set()
            await asyncio.Event().wait()
        return usages.pop(0)

    monkeypatch.setattr(resource_sampler, "usage_of_tree", next_usage)
    monkeypatch.setattr(resource_sampler, "FIRST_S", 0)
    monkeypatch.setattr(resource_sampler, "INTERVAL_S", 0)
    reported: list[dict[str, float]] = []
    sampler = ResourceSampler(1, reported.append)
    async with asyncio.timeout(60):
        await all_read.wait()
    await sampler.stop()
    assert [sample["memory"] for sample in reported] == [1000, 2000]


def test_long_lines_merge_to_at_most_sixty_values_and_keep_the_largest() -> None:
    found = None
    for number in range(1000):
        found = added(found, timestamp(5.0 * number), Sample(float(number % 7), 1000.0 * number, 1.0))
    assert found is not None
    assert len(found.cpu_line) == len(found.memory_line) <= BUCKETS
    assert found.width * len(found.cpu_line) >= 5000
    assert (found.max_cpu, found.max_memory, found.memory_line[-1]) == (6.0, 999_000, 999)
    assert max(found.cpu_line) == 6


async def test_heartbeats_with_resources_are_a_thin_line_below_the_track(store: SqliteStore) -> None:
    store.append("run", NewEvent(event_type="runner_spawn", span_id="main"))
    for cpu, memory in ((312.4, 4e8), (87.0, 2.5e8)):
        beat = {"resources": {"cpu": cpu, "memory": memory, "processes": 3}}
        store.append("run", NewEvent(event_type="runner_heartbeat", span_id="main", payload=beat))
    (shown,) = [node for node in parse(await page(store)).walk() if node.attributes.get("class") == "resources"]
    assert "CPU 87 %, max 312 %" in " ".join(shown.text.split())
    assert "Memory 250.0 MB, max 400.0 MB" in " ".join(shown.text.split())
    assert "3 processes" in shown.text
    assert len(shown.all("polyline")) == 2


@pytest.mark.parametrize(
    "given",
    [None, 5, [], {}, {"cpu": 1}, {"cpu": -1, "memory": 5}, {"cpu": "x", "memory": 5}, {"cpu": 1e300, "memory": 1}],
)
async def test_a_heartbeat_with_other_resources_changes_nothing(store: SqliteStore, given: object) -> None:
    store.append("run", NewEvent(event_type="runner_spawn", span_id="main"))
    store.append("run", NewEvent(event_type="runner_heartbeat", span_id="main", payload={"resources": given}))
    assert 'class="resources"' not in await page(store)


@pytest.mark.long
@pytest.mark.parametrize(("options", "is_recorded"), [([], True), (["--no-resources"], False)])
async def test_a_run_records_its_resources_unless_it_is_told_not_to(
    tmp_path: Path, options: list[str], is_recorded: bool
) -> None:
    url = f"sqlite:///{tmp_path}/signalbox.db"
    command = [sys.executable, "-m", "signalbox", "run", "--store", url, "--task", "t", *options, "--", "sleep", "1.5"]
    finished = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=60)
    assert finished.returncode == 0, finished.stderr
    store = open_store(url)
    try:
        beats = [event.payload for event in await log_of(store, "t") if event.event_type == "runner_heartbeat"]
    finally:
        await store.aclose()
    assert [set(beat.get("resources", {})) for beat in beats] == ([{"cpu", "memory", "processes"}] * is_recorded)
