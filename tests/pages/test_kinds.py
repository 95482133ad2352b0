"""The pages of kinds and their API: statistics, errors, filters, odd names, and rights."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from signalbox.store import Event, NewEvent, Reading, TaskRecord, open_store
from signalbox.store.path_segments import segment
from signalbox.store.state import Task
from signalbox.store.times import epoch_seconds, now, timestamp
from signalbox.webapp.drawing import ids
from signalbox.webapp.drawing.fragments import Fragments
from signalbox.webapp.drawing.run_chart import BASE, TOP, run_chart
from signalbox.webapp.http.assets import asset
from signalbox.webapp.live import sse
from signalbox.webapp.live.board_frames import BoardFrames
from signalbox.webapp.views.kind import KindRun, kind_query, kind_view
from signalbox.webapp.views.run_statistics import percentile, statistics_of
from tests.support.server import Server

ODD_KINDS = ("a/b", "..", "../up", "größe 1 & 2 ?#%", "-~x", "<b>")


def imported(
    server: Server, task_id: str, kind: str, seconds: float, status: str, error: str = "", **tags: str
) -> None:
    """Write a run that took so many seconds."""
    count = len(server.get("/api/tasks?limit=500").json()["tasks"])
    start = epoch_seconds(now()) - 10_000 + 10 * count
    end = msgspec.json.encode({"status": status, "message": error})
    events = [("runner_spawn", start, b"{}"), ("runner_exit", start + seconds, end)]
    log = [
        Event(event_id=0, task_id=task_id, seq=seq, event_type=event_type, phase=None, actor="runner", span_id="s",
              parent_span_id=None, payload_json=msgspec.Raw(payload), created_at=timestamp(at))
        for seq, (event_type, at, payload) in enumerate(events, 1)
    ]  # fmt: skip
    metadata = {"tags": tags} if tags else {}
    record = TaskRecord(task_id=task_id, kind=kind, created_at=timestamp(start), metadata=metadata)
    server.store.import_task(record, log)


@pytest.fixture(scope="module")
def builds(shared_server: Server) -> Server:
    for number, (seconds, status, error) in enumerate(
        [
            (2.0, "done", ""),
            (4.0, "failed", "exit code 1"),
            (6.0, "done", ""),
            (9.0, "cancelled", "stopped"),
            (3.0, "failed", "exit code 1"),
            (8.0, "failed", "no space left"),
        ]
    ):
        branch = {"branch": "main"} if number < 3 else {}
        imported(shared_server, f"b{number}", "build", seconds, status, error, **branch)
    for number, kind in enumerate(ODD_KINDS):
        imported(shared_server, f"odd{number}", kind, 1.0, "done")
    return shared_server


def test_a_kind_has_the_statistics_and_errors_of_its_newest_runs(builds: Server) -> None:
    kind = builds.get("/api/kinds/build").json()
    assert (kind["runs"], kind["failed"], kind["failure_rate"]) == (6, 3, 0.6)
    assert (kind["p50"], kind["p95"]) == (2.0, 6.0)
    assert [(error["text"], error["runs"], error["latest_task_id"]) for error in kind["errors"]] == [
        ("exit code 1", 2, "b4"),
        ("no space left", 1, "b5"),
    ]
    assert kind["last_successful_task_id"] == "b2"
    assert [task["task_id"] for task in kind["tasks"]] == ["b5", "b4", "b3", "b2", "b1", "b0"]


def test_the_page_of_a_kind_links_its_bars_and_compares_with_the_last_success(builds: Server) -> None:
    page = builds.get("/kinds/build").text
    for task_id in ("b0", "b5"):
        assert f'<a href="/tasks/{task_id}" tabindex="-1">' in page
    assert page.count('class="run-bar run-bar--failed"') == 3
    assert ">60 %</dd>" in page
    assert "/compare?a=b2%40" in page
    assert 'href="/compare?a=b0&amp;b=b1%40' in page


def test_tags_and_projects_filter_the_runs_of_a_kind(builds: Server) -> None:
    kind = builds.get("/api/kinds/build?tag=branch%3Dmain").json()
    assert [task["task_id"] for task in kind["tasks"]] == ["b2", "b1", "b0"]
    assert "No run of this kind matches" in builds.get("/kinds/build?tag=branch%3Dother").text
    assert builds.get("/api/kinds/build?project=nowhere").json()["tasks"] == []
    assert builds.get("/kinds/build?tag=branch", headers={"Accept": "text/html"}).status_code == 400


@pytest.mark.parametrize("kind", ODD_KINDS)
def test_kinds_with_odd_names_have_working_addresses(builds: Server, kind: str) -> None:
    overview = builds.get("/kinds").text
    path = f"/kinds/{segment(kind)}"
    assert f'href="{path}"' in overview
    page = builds.get(path)
    assert (page.status_code, "No run" in page.text) == (200, False)
    assert builds.get(f"/api/kinds/{segment(kind)}").json()["kind"] == kind
    assert builds.get(f"{path}?part=frames&since={2**52}").text.splitlines()[1] == "event: reset"


def test_the_overview_has_pages(builds: Server) -> None:
    first = builds.get("/api/kinds?limit=2")
    names = [line["kind"] for line in first.json()]
    rest = builds.get(first.links["next"]["url"]).json()
    assert names + [line["kind"] for line in rest] == sorted([*ODD_KINDS, "build"])[: 2 + len(rest)]
    build = next(line for line in builds.get("/api/kinds").json() if line["kind"] == "build")
    assert [run["task_id"] for run in build["latest"]] == ["b5", "b4", "b3", "b2", "b1", "b0"]


def test_an_unknown_kind_is_not_found(builds: Server) -> None:
    for path in ("/kinds/unknown", f"/kinds/{quote('un known')}/x", "/api/kinds/unknown"):
        refused = builds.get(path)
        assert (refused.status_code, "there is no run of the kind" in refused.text) == (404, True)


async def test_a_frame_of_a_kind_has_what_a_fresh_page_has(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'x.db'}")
    store.create_task("run", kind="build")
    query, drawing = kind_query("build", None, None, ()), Fragments(asset)

    async def draw(view: Reading) -> dict[str, str]:
        return drawing.parts({ids.KIND: "kinds/_kind.html"}, view=await kind_view(view, query))

    frames = BoardFrames(store, drawing, draw)
    first = await frames(0)
    assert first is not None
    store.create_task("other", kind="test")
    assert await frames(first.to_seq) is None
    store.append("run", [NewEvent(event_type="runner_spawn"), NewEvent(event_type="runner_exit")])
    chunk = await frames(first.to_seq)
    assert chunk is not None
    async with store.read() as view:
        fresh = await draw(view)
        newest = await view.latest_event_id()
    expected = sse.html_message(newest, drawing.parts_frame(fresh, first.to_seq, newest))
    assert chunk.body == expected
    store.delete_task("run")
    gone = await frames(chunk.to_seq)
    assert gone is not None
    assert b"No run of this kind matches" in gone.body
    await store.aclose()


def test_percentiles_are_durations_that_a_run_had() -> None:
    assert percentile([], 0.5) is None
    assert percentile([3.0], 0.95) == 3.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert percentile([float(number) for number in range(1, 101)], 0.95) == 95.0
    assert statistics_of([]).failure_rate is None


def test_a_very_long_run_is_cut_in_the_chart() -> None:
    def taking(seconds: float | None) -> KindRun:
        task = Task(task_id="t", created_at=now(), updated_at=now(), main_span_id="", status="done")
        return KindRun(task, seconds, None)

    chart = run_chart([taking(1.0), taking(1.0), taking(1000.0), taking(None)], 1.0)
    assert [bar.cut for bar in chart.bars] == [False, True, False, False]
    assert chart.bars[1].top == TOP
    assert chart.bars[0].height == 0
    assert chart.bars[3].height == pytest.approx((BASE - TOP) / 3, abs=0.1)
    assert run_chart([], None).bars == []
