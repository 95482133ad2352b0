"""Pages and frames: live equals fresh, from any cursor, for any log; and nothing that a run says is ever markup."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from store import NewEvent, TaskQuery, open_store
from store.events import KNOWN_EVENTS
from store.sqlite import SqliteStore
from tests.support.dom import Node, parse
from webapp import contexts, ids
from webapp.assets import asset
from webapp.contexts import log_window, spans_view, task_list_view, task_view
from webapp.forecast import Earlier
from webapp.fragments import Fragments
from webapp.inbox import inbox_view
from webapp.logstretch import StretchView
from webapp.rows import TOLD
from webapp.timeline import timeline_view
from webapp.waterfall import waterfall_view

WINDOW = 8
FRAGMENTS = Fragments(asset)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'signalbox.db'}")
    yield opened
    await opened.aclose()


async def page(store: SqliteStore, task_id: str = "run", window: int = WINDOW) -> str:
    async with store.read() as view:
        return FRAGMENTS.task_page(await task_view(view, task_id, window=window), epoch="e")


async def frame(store: SqliteStore, since: int, task_id: str = "run", window: int = WINDOW) -> str:
    async with store.read() as view:
        return FRAGMENTS.task_frame(await task_view(view, task_id, since=since, window=window), since)


async def newest(store: SqliteStore, task_id: str) -> int:
    # Not what the append returned: the end of a task also closes its open questions.
    async with store.read() as view:
        return (await view.task(task_id)).latest_seq


def main(html: str) -> Node:
    (found,) = parse(html).all("main")
    return found


def log(message: str, **more: Any) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": message, **more})


def span(span_id: str, parent: str) -> NewEvent:
    return NewEvent(event_type="work_item_start", span_id=span_id, parent_span_id=parent)


# --- live equals fresh ----------------------------------------------------------------------------------------

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


@pytest.fixture(params=["wide windows", "narrow windows"])
def windows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "narrow windows":
        for name in ("OPEN_SPANS", "ENDED_SPANS", "CHECKPOINTS", "PHASES"):
            monkeypatch.setattr(contexts, name, 1)


@pytest.mark.usefixtures("windows")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(batches=[[span("a", "b")], [span("b", "a")], [span("c", "a")]])
@given(batches=st.lists(st.lists(events, min_size=1, max_size=5), min_size=1, max_size=7))
async def test_a_page_brought_up_to_date_by_frames_equals_a_fresh_one(
    batches: list[list[NewEvent]], store: SqliteStore
) -> None:
    task_id = store.create_task()[0].task_id
    pages = [(0, main(await page(store, task_id)))]
    for batch in batches:
        store.append(task_id, batch)
        fresh = main(await page(store, task_id))
        seq = await newest(store, task_id)
        for since, live in pages:
            live.apply(await frame(store, since, task_id), WINDOW)
            assert live.lines() == fresh.lines()
        pages = [(seq, live) for _, live in pages] + [(seq, fresh)]


async def test_a_page_far_behind_gets_the_newest_window_instead_of_all_rows(store: SqliteStore) -> None:
    store.append("run", log("first"))
    live = main(await page(store))
    store.append("run", [log(f"line {n}") for n in range(100)])
    update = await frame(store, 1)
    assert update.count('<li id="e') == WINDOW
    live.apply(update, WINDOW)
    assert live.lines() == main(await page(store)).lines()


async def test_a_frame_has_only_what_changed(store: SqliteStore) -> None:
    store.append("run", [NewEvent(event_type="phase_enter", phase="planning"), log("one")])
    store.append("run", log("two", stream="stderr"))
    targets = re.findall(r'hx-target="#([^"]+)"', await frame(store, 2))
    assert targets == [ids.LOG_HEAD, ids.TASK_FLAGS, ids.LOG_ROWS]


async def test_a_line_that_was_written_elsewhere_tells_when(store: SqliteStore) -> None:
    store.append("run", log("one", at='2026-11-21T14:02:07Z">'))
    assert '<code title="written 2026-11-21T14:02:07Z&#34;&gt;">one</code>' in str(await page(store))
    assert 'class="rest"' not in str(await page(store))


async def test_a_frame_says_where_it_begins_and_ends(store: SqliteStore) -> None:
    store.append("run", [log("one"), log("two"), log("three")])
    begin = '<hx-frame data-from="1" data-to="3" data-latest="3"></hx-frame>'
    assert (await frame(store, 1)).startswith(begin)


async def test_progress_of_one_work_item_sends_its_line_alone(store: SqliteStore) -> None:
    start = [NewEvent(event_type="work_item_start", span_id=f"w{n}") for n in range(3)]
    store.append("run", start)
    progress = {"progress": {"current": 1, "total": 4}}
    store.append("run", NewEvent(event_type="work_item_progress", span_id="w1", payload=progress))
    assert f'hx-target="#{ids.span("w1")}"' in (update := await frame(store, 3))
    assert f'hx-target="#{ids.SPANS}"' not in update
    assert "25 %" in update


# --- what a page shows ----------------------------------------------------------------------------------------


async def test_the_page_says_how_the_run_stands(store: SqliteStore) -> None:
    store.create_task("run", title="Nightly audit", kind="audit")
    store.append(
        "run",
        [
            NewEvent(event_type="runner_spawn", span_id="m", payload={"runner_pid": 7, "command": "make all"}),
            NewEvent(event_type="phase_enter", phase="planning", span_id="p", parent_span_id="m"),
            NewEvent(event_type="work_item_start", span_id="w", parent_span_id="p", payload={"work_item_id": "ast.py"}),
            NewEvent(event_type="work_item_failed", span_id="w", payload={"message": "broken"}),
            NewEvent(
                event_type="checkpoint_commit",
                payload={"checkpoint_id": "c1", "evidence_refs": {"artifacts": ["plan.json"], "commit_hash": "9f2c"}},
            ),
            NewEvent(
                event_type="permission_request",
                payload={"request_id": "r", "tool_name": "shell", "arguments": {"command": "rm x"}, "reason": "tidy"},
            ),
        ],
    )
    shown = main(await page(store))
    assert "waiting" in shown.by_id(ids.TASK_HEADER).text
    assert "Nightly audit" in shown.by_id(ids.TASK_HEADER).text
    for name in ("planning", "executing", "verifying"):
        assert name in shown.by_id(ids.TRACK).text
    assert "broken" in shown.by_id(ids.span("w")).text
    for words in ("c1", "plan.json", "9f2c", "committed"):
        assert words in shown.by_id(ids.CHECKPOINTS).text
    for words in ("shell", "rm x", "tidy"):
        assert words in shown.by_id(ids.PERMISSIONS).text
    assert "make all" in shown.by_id("e1").text


@pytest.mark.parametrize("event_type", [kind for kind in KNOWN_EVENTS if kind != "permission_response"])
async def test_no_key_of_any_payload_is_left_out(store: SqliteStore, event_type: str) -> None:
    told = {key: f"<{key}>" for key in TOLD.get(event_type, ("message",))}
    progress = {"current": 3, "total": 4} if "progress" in told else None
    store.append(
        "run", NewEvent(event_type=event_type, payload={**told, "own_key": ["own", "value"], "progress": progress})
    )
    row = main(await page(store)).by_id("e1").text
    for key in told.keys() - {"progress", "approved"}:
        assert f"<{key}>" in row
    assert "own_key" in row
    assert "value" in row


async def test_an_unknown_event_shows_its_type_and_payload(store: SqliteStore) -> None:
    store.append("run", NewEvent(event_type="own_metric", payload={"loss": 0.5}))
    assert 'own_metric {"loss":0.5}' in main(await page(store)).by_id("e1").text


async def test_a_long_payload_is_folded_but_whole(store: SqliteStore) -> None:
    store.append("run", NewEvent(event_type="own", payload={"numbers": list(range(500))}))
    row = main(await page(store)).by_id("e1")
    assert row.all("details")
    assert "498,499]" in row.text


async def test_spans_beyond_the_window_are_counted_and_listed_on_their_page(store: SqliteStore) -> None:
    for n in range(100):
        store.append("run", NewEvent(event_type="work_item_start", span_id=f"w{n}"))
        store.append("run", NewEvent(event_type="work_item_complete", span_id=f"w{n}"))
    panel = main(await page(store)).by_id(ids.SPANS)
    assert len(panel.all("li")) == 20
    assert "80 more" in panel.text
    async with store.read() as view:
        listed = parts({ids.SPANS_TABLE: "spans/_table.html"}, await spans_view(view, "run"))
    assert len(parse(listed).all("tr")) == 101


async def test_a_stretch_of_the_log_leads_to_its_neighbours(store: SqliteStore) -> None:
    store.append("run", [log(f"line {n}") for n in range(1, 101)])
    async with store.read() as view:
        middle = await log_window(view, "run", around=50, window=10)
        first = await log_window(view, "run", after=0, window=10)
        newest = await log_window(view, "run", window=10)
        before = await log_window(view, "run", before=middle.before, window=10)
    assert 50 in [row.seq for row in middle.rows]
    assert (first.before, newest.after) == (None, None)
    assert before.rows[-1].seq == middle.rows[0].seq - 1
    place = parts({ids.LOG_PLACE: "events/_place.html"}, StretchView(log=middle, missed="", found=None))
    assert f"/tasks/run/log?before={middle.before}" in place
    assert f"/tasks/run/log?after={middle.after}" in place
    assert "45 newer" in place


async def test_the_list_links_to_each_status_and_to_older_tasks(store: SqliteStore) -> None:
    for n in range(5):
        store.append(f"run-{n}", log("x"))
    store.create_task("idle", title="Idle")
    async with store.read() as view:
        some = FRAGMENTS.list_page(await task_list_view(view, TaskQuery(statuses=("running",), text="run", limit=2)))
    shown = main(some)
    assert [row.attributes["id"] for row in shown.all("tr")[1:]] == [ids.task("run-4"), ids.task("run-3")]
    links = [link.attributes.get("href") or "" for link in shown.all("a")]
    assert "/tasks?status=queued&q=run" in links
    assert any(re.match(r"/tasks\?status=running&q=run&cursor=", link) for link in links)


async def test_an_empty_list_says_how_to_start(store: SqliteStore) -> None:
    async with store.read() as view:
        shown = main(FRAGMENTS.list_page(await task_list_view(view, TaskQuery()), base_url="http://box:1"))
    for way in ("signalbox run -- COMMAND", "signalbox demo", "http://box:1/api/tasks/first/events"):
        assert way in shown.text


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 421, 500, 503, 599])
def test_an_error_says_what_happened_and_what_now(status: int) -> None:
    shown = main(FRAGMENTS.error_page(status, "some_code", "it is <b>gone</b>"))
    assert str(status) in shown.text
    assert "it is <b>gone</b>" in shown.text
    assert any(link.attributes["href"] == "/tasks" for link in shown.all("a"))


async def test_the_same_state_is_the_same_page(store: SqliteStore) -> None:
    store.append("run", [log("x"), NewEvent(event_type="work_item_start", span_id="w")])
    assert await page(store) == await page(store)


async def test_a_full_page_of_a_million_lines_would_be_as_small_as_this_one(store: SqliteStore) -> None:
    store.append("run", [log(f"line {n} of a log that says about this much in each of its lines") for n in range(1000)])
    assert len((await page(store, window=200)).encode()) < 100_000


# --- hostile text ---------------------------------------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    '</hx-partial><hx-partial hx-target="body" hx-swap="innerHTML">owned</hx-partial>',
    "</li></ol></main><template hx type=partial>",
    "{{7*7}}{% raw %}",
    "javascript:alert(1)",
    "&lt;b&gt; &amp; &#60;i>",
    "--><!--",
    "</pre></code></textarea></title>",
    "\u202egnp.exe\u2066",
)
CONTROLS = (
    "a\nb",
    "a\r\nb\rc",
    "nul\x00",
    "line\u2028sep\u2029",
    "\x1b[31mred\x1b]0;title\x07\x1b[?1049h",
    "\x9b31m\x85",
)
PLACES = ("event_type", "phase", "actor", "span_id", "parent_span_id")


def hostile_run(text: str) -> list[NewEvent]:
    """Events with `text` wherever a run may put it."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "", text)[:256]
    return [
        NewEvent(
            event_type=line, phase=line, actor=line, span_id=line, parent_span_id="x" + line[:255], payload={text: text}
        ),
        NewEvent(event_type="phase_enter", phase=line, span_id="p"),
        log(text, stream="stderr", level=text),
        log(text, stream=text, more={text: [text]}),
        *(
            NewEvent(event_type=kind, span_id="w", payload=dict.fromkeys([*TOLD.get(kind, ()), "own"], text))
            for kind in KNOWN_EVENTS
            if kind != "permission_response"
        ),
        NewEvent(event_type="work_item_start", span_id="v", payload={"work_item_id": text, "work_type": text}),
        NewEvent(event_type="work_item_progress", span_id="v", payload={"message": text}),
        NewEvent(
            event_type="checkpoint_commit",
            payload={"checkpoint_id": text, "evidence_refs": {text: [text, {text: text}]}},
        ),
        NewEvent(
            event_type="permission_request",
            payload=dict.fromkeys(("request_id", "tool_name", "arguments", "reason", "expires_at"), text),
        ),
        NewEvent(event_type="status", payload={"status": "running", "message": text}),
    ]


def parts(templates: dict[str, str], view: Any) -> str:
    """Parts of a page of the task run, one after the other."""
    return "".join(FRAGMENTS.parts(templates, view=view, task=view.task, path="/tasks/run").values())


@pytest.mark.parametrize("text", [*HOSTILE, *CONTROLS])
async def test_hostile_text_is_shown_and_never_breaks_out(store: SqliteStore, text: str) -> None:
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "", text)
    store.create_task("run", title=line, kind=line[:256])
    calm = main(await page(store, window=200))
    store.append("run", hostile_run(text))
    shown = await page(store, window=200)
    update = await frame(store, 0, window=200)
    async with store.read() as view:
        listed = FRAGMENTS.list_page(await task_list_view(view, TaskQuery(text=line[:9], kind=line[:256])))
        inbox = FRAGMENTS.inbox_page(await inbox_view(view))
        spans = parts({"table": "spans/_table.html"}, await spans_view(view, "run"))
        falls = parts({"falls": "waterfall/_panel.html"}, await waterfall_view(view, "run"))
        story = parts({"story": "timeline/_story.html"}, await timeline_view(view, "run", Earlier()))
        rows = FRAGMENTS.log_window(await log_window(view, "run"))
    for html in (shown, update, listed, inbox, spans, falls, story, rows, FRAGMENTS.error_page(404, "x", text)):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2066]", html)
        tree = parse(html)
        assert not {node.tag for node in tree.walk()} & {"img", "template", "textarea", "b1"}
        assert len(tree.all("script")) in (0, 3)
        for node in tree.walk():
            assert not any(name.startswith("on") or name == "style" for name in node.attributes)
            assert not (node.attributes.get("href") or "").startswith("javascript:")
    assert (
        update.count("</hx-partial>") == update.count("<hx-partial") == len(re.findall(r"^<hx-partial", update, re.M))
    )
    calm.apply(update, 200)
    assert calm.lines() == main(shown).lines()


async def test_hostile_text_is_readable_as_it_was_written(store: SqliteStore) -> None:
    for text in HOSTILE[:-1]:
        store.append("run", log(text))
    rows = main(await page(store, window=200)).by_id(ids.LOG_ROWS)
    for text in HOSTILE[:-1]:
        assert text in rows.text


def test_no_two_names_share_an_id_and_none_needs_escaping() -> None:
    names = ["a", "a b", "a_20_b", "a.b", "a:b", "A", "ä", "<a>", '"', "#x .y", "_", "__", "\U0001f600"]
    made = [ids.span(name) for name in names]
    assert len(set(made)) == len(names)
    assert all(re.fullmatch(r"span-[A-Za-z0-9_-]+", one) for one in made)
    assert not set(map(ids.task, names)) & set(map(ids.span, names))


def test_pages_have_no_inline_script_or_style() -> None:
    templates = Path(FRAGMENTS._environment.loader.searchpath[0])  # type: ignore[union-attr]
    for template in templates.rglob("*.html"):
        source = template.read_text()
        assert not re.search(r"\bstyle=|\bon[a-z]+=|<style|<script(?![^>]*\bsrc=)", source), template


def test_every_pair_of_states_has_its_own_icon() -> None:
    from store.state import STATUSES

    made = [asset(f"icons/{status}.svg") for status in STATUSES]
    assert all(one != other for one, other in itertools.combinations([re.sub(".*v=", "", url) for url in made], 2))
