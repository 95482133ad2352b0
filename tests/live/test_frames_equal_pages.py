"""A page updated by frames equals a freshly loaded page, from any cursor and for any log."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from signalbox.store import NewEvent
from signalbox.store.events import KNOWN_EVENTS
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.drawing import ids
from signalbox.webapp.views import task as task_views
from tests.support.examples import examples
from tests.support.rendering import WINDOW, frame, log, main, newest, page, span

names = st.sampled_from(["s1", "s2", "s3", "s 4", "<s5>"])
small = st.one_of(st.none(), st.integers(-5, 10**18), st.floats(allow_nan=False, allow_infinity=False), st.text())
payloads = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["done", "failed", "running", "interrupted", "nonsense"]),
        "exit_code": small,
        "error_code": small,
        "message": small,
        "level": small,
        "request_id": st.sampled_from(["r1", "r2"]),
        "checkpoint_id": st.sampled_from(["c1", "c2", 7]),
        "progress": st.one_of(small, st.dictionaries(st.sampled_from(["current", "total", "percentage"]), small)),
        "evidence_refs": st.one_of(small, st.dictionaries(st.text(), st.one_of(small, st.lists(small)))),
        "approved": st.booleans(),
        "tool_name": small,
        "arguments": st.one_of(small, st.lists(small), st.dictionaries(st.text(), small)),
        "expires_at": small,
        "work_item_id": small,
        "work_type": small,
        "own": st.text(max_size=400),
    },
)
events = st.builds(
    NewEvent,
    event_type=st.sampled_from([*KNOWN_EVENTS, "work_item_started", "something_else"]),
    phase=st.sampled_from(["planning", "executing", "verifying", "recovery", "own", None]),
    actor=st.sampled_from(["runner", "worker"]),
    span_id=names,
    parent_span_id=st.sampled_from(["s1", "s2", "p", None]),
    payload=payloads,
).filter(lambda event: event.event_type != "permission_response" and event.span_id != event.parent_span_id)
ITEM = NewEvent(event_type="work_item_start", span_id="i")
SPAWN = NewEvent(event_type="runner_spawn", span_id="i")


@pytest.fixture(params=["wide windows", "narrow windows"])
def windows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "narrow windows":
        for name in ("OPEN_SPANS", "ENDED_SPANS", "CHECKPOINTS", "PHASES"):
            monkeypatch.setattr(task_views, name, 1)


@pytest.mark.long
@pytest.mark.usefixtures("windows")
@pytest.mark.examples
@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(batches=[[ITEM], [NewEvent(event_type="span_start", span_id="a", parent_span_id="b")], [SPAWN]])
@example(batches=[[span("a", "b")], [span("b", "a")], [span("c", "a")]])
@given(batches=st.lists(st.lists(events, min_size=1, max_size=5), min_size=1, max_size=7))
async def test_a_page_updated_by_frames_equals_a_fresh_page(batches: list[list[NewEvent]], store: SqliteStore) -> None:
    task_id = store.create_task()[0].task_id
    pages = [(0, main(await page(store, task_id)))]
    for batch in batches:
        store.append(task_id, batch)
        fresh = main(await page(store, task_id))
        lines = fresh.lines()
        seq = await newest(store, task_id)
        frames = {since: await frame(store, since, task_id) for since in {since for since, _ in pages}}
        for since, live in pages:
            live.apply(frames[since], WINDOW)
            assert live.lines() == lines
        pages = [(seq, live) for _, live in pages] + [(seq, fresh)]


async def test_a_page_far_behind_gets_the_newest_window_instead_of_all_rows(store: SqliteStore) -> None:
    store.append("run", log("first"))
    live = main(await page(store))
    store.append("run", [log(f"line {n}") for n in range(100)])
    update = await frame(store, 1)
    assert update.count('<li id="e') == WINDOW
    live.apply(update, WINDOW)
    assert live.lines() == main(await page(store)).lines()


async def test_a_frame_contains_only_changed_fragments(store: SqliteStore) -> None:
    store.append("run", [NewEvent(event_type="phase_enter", phase="planning"), log("one")])
    store.append("run", log("two", stream="stderr"))
    targets = re.findall(r'hx-target="#([^"]+)"', await frame(store, 2))
    assert targets == [ids.LOG_HEAD, ids.TASK_FLAGS, ids.LOG_UNFINISHED, ids.LOG_ROWS]


async def test_a_frame_states_its_first_and_last_seq(store: SqliteStore) -> None:
    store.append("run", [log("one"), log("two"), log("three")])
    begin = '<hx-frame data-from="1" data-to="3" data-latest="3"></hx-frame>'
    assert (await frame(store, 1)).startswith(begin)


async def test_progress_of_a_work_item_sends_only_its_line(store: SqliteStore) -> None:
    start = [NewEvent(event_type="work_item_start", span_id=f"w{n}") for n in range(3)]
    store.append("run", start)
    progress = {"progress": {"current": 1, "total": 4}}
    store.append("run", NewEvent(event_type="work_item_progress", span_id="w1", payload=progress))
    assert f'hx-target="#{ids.span("w1")}"' in (update := await frame(store, 3))
    assert f'hx-target="#{ids.SPANS}"' not in update
    assert "25 %" in update
