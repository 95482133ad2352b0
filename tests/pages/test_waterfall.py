"""`/tasks/{id}/waterfall` and `/tasks/{id}/spans/{span}`: spans on a time axis, and the page of a span."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote

import msgspec
import pytest

from signalbox.store import NewEvent
from signalbox.store.contract import TaskRecord
from signalbox.store.events import Event
from signalbox.store.times import timestamp
from signalbox.webapp.drawing import ids
from signalbox.webapp.views.waterfall_query import WaterfallQuery
from tests.support.dom import Node, parse
from tests.support.server import Server

DAY = "2026-11-02T"


def page(server: Server, path: str) -> Node:
    response = server.get(path)
    assert response.status_code == 200, response.text
    return parse(response.text).by_id("main")


def item(kind: str, span: str, parent: str | None = "main", **payload: object) -> NewEvent:
    return NewEvent(event_type=f"work_item_{kind}", span_id=span, parent_span_id=parent, payload=payload)


def elements_with_class(node: Node, name: str) -> list[Node]:
    return [child for child in node.walk() if name in str(child.attributes.get("class")).split()]


def emit_paused_run(server: Server, task: str) -> None:
    """Emit a run that worked for 0.1 s, paused for 0.5 s, and worked again until now."""
    began = time.time() - 0.7

    def emit(seconds: float, *events: NewEvent) -> None:
        server.emit(task, *(msgspec.structs.replace(event, occurred_at=timestamp(began + seconds)) for event in events))

    emit(0.0, NewEvent(event_type="runner_spawn", span_id="main"), item("start", "a", work_item_id="first"))
    emit(0.1, item("complete", "a"))
    emit(0.6, item("start", "b", work_item_id="second"))
    emit(0.7, item("failed", "b", message="broken"), item("start", "c", "b", work_item_id="below"))


def test_each_span_is_a_bar_that_links_to_its_page(server: Server) -> None:
    emit_paused_run(server, "bars")
    main = page(server, "/tasks/bars/waterfall")
    rows = elements_with_class(main, "fall")
    assert [elements_with_class(row, "fall-link")[0].text.strip() for row in rows] == [
        "run",
        "first",
        "second",
        "below",
    ]
    assert [row.attributes["class"] for row in rows] == [
        "fall fall--open kind--run depth-0",
        "fall fall--done kind--item depth-1",
        "fall fall--failed kind--item depth-1",
        "fall fall--open kind--item depth-2",
    ]
    assert [row.all("a")[0].attributes["href"] for row in rows] == [
        f"/tasks/bars/spans/{span}" for span in ("main", "a", "b", "c")
    ]
    assert "as of #6" in main.text
    assert elements_with_class(main, "fall-now")


def test_an_idle_gap_is_folded_and_can_be_unfolded(server: Server) -> None:
    emit_paused_run(server, "pause")
    folded = page(server, "/tasks/pause/waterfall")
    assert len(elements_with_class(folded, "fall-fold")) == 1
    (link,) = [a for a in folded.all("a") if "Unfold 1 idle gap" in a.text]
    assert link.attributes["href"] == "/tasks/pause/waterfall?gaps=open"
    unfolded = page(server, "/tasks/pause/waterfall?gaps=open")
    assert not elements_with_class(unfolded, "fall-fold")

    def width(main: Node, span: str) -> float:
        (bar,) = elements_with_class(main.by_id(ids.span(span)), "fall-bar")
        return float(str(bar.attributes["width"]).rstrip("%"))

    assert width(folded, "a") > 2 * width(unfolded, "a")
    assert width(unfolded, "a") == pytest.approx(width(unfolded, "b"), rel=0.6)


def test_an_ended_run_has_no_marker_for_now(server: Server) -> None:
    emit_paused_run(server, "ended")
    server.emit("ended", NewEvent(event_type="runner_exit", span_id="main", payload={"exit_code": 0}))
    main = page(server, "/tasks/ended/waterfall")
    assert not elements_with_class(main, "fall-now")


def names(main: Node) -> list[str]:
    """Return the names of the rows, in their order."""
    return [" ".join(link.text.split()) for link in elements_with_class(main, "fall-link")]


def link_to(main: Node, text: str) -> str:
    """Return the address of the link with this text."""
    return next(str(a.attributes["href"]) for a in main.all("a") if " ".join(a.text.split()) == text)


@pytest.fixture(scope="module")
def wide(shared_server: Server) -> Server:
    """Create a run with 600 similar work items, of which one is slow, one failed and one is open."""
    at = datetime(2026, 11, 21, 14, tzinfo=UTC)
    log = [("runner_spawn", "main", {}, 0.0)]
    for number in range(600):
        start, took = number / 100, 3.0 if number == 317 else 0.004
        log.append(("work_item_start", f"s{number}", {"work_item_id": f"shard-{number}"}, start))
        if number == 50:
            log.append(("work_item_failed", "s50", {"message": "checksum differs"}, start + took))
        elif number != 599:
            log.append(("work_item_complete", f"s{number}", {}, start + took))
    log.sort(key=lambda line: line[3])
    events = [
        Event(
            event_id=seq,
            task_id="wide",
            seq=seq,
            event_type=kind,
            phase=None,
            actor="runner",
            span_id=span,
            parent_span_id=None if span == "main" else "main",
            payload_json=msgspec.Raw(msgspec.json.encode(payload)),
            created_at=f"{(at + timedelta(seconds=seconds)).isoformat(timespec='microseconds')[:-6]}Z",
        )
        for seq, (kind, span, payload, seconds) in enumerate(log, 1)
    ]
    shared_server.store.import_task(TaskRecord(task_id="wide", created_at=events[0].created_at), events)
    return shared_server


def test_similar_siblings_fold_to_one_row_with_the_notable_ones_below(wide: Server) -> None:
    main = page(wide, "/tasks/wide/waterfall")
    assert names(main) == ["run", "▸ 600 × shard", "shard-50", "shard-317", "shard-599"]
    (stats,) = elements_with_class(main, "fall-stats")
    assert stats.text == "p50 4 ms, p99 4 ms, max 3 s, 1 failed, 1 open"
    assert str(stats.all("a")[0].attributes["href"]) == "/tasks/wide/spans/s317"


def test_an_open_group_shows_its_members_page_by_page(wide: Server) -> None:
    first = page(wide, link_to(page(wide, "/tasks/wide/waterfall"), "▸ 600 × shard").split("#")[0])
    assert names(first)[:3] == ["run", "▾ 600 × shard", "shard-0"]
    assert len(names(first)) == 250
    second = page(wide, link_to(first, "Next rows"))
    assert names(second)[:3] == ["run", "▾ 600 × shard", "shard-248"]
    assert "Rows 251 to 500 of 602" in second.text
    assert "▸ 600 × shard" in names(page(wide, link_to(first, "▾ 600 × shard").split("#")[0]))


def test_the_slowest_spans_are_one_click_away(wide: Server) -> None:
    slowest = page(wide, link_to(page(wide, "/tasks/wide/waterfall"), "Slowest 10"))
    assert len(names(slowest)) == 10
    assert {"run", "shard-317"} <= set(names(slowest))


def test_a_zoomed_waterfall_shows_what_ran_in_that_time(wide: Server) -> None:
    main = page(wide, "/tasks/wide/waterfall?from=3&to=3.02")
    assert names(main) == ["run", "shard-300", "shard-301", "shard-302"]
    (axis,) = elements_with_class(main, "fall-axis")
    assert [text.text for text in axis.all("text")][:2] == ["3.000 s", "3.002 s"]
    assert link_to(main, "Whole run") == "/tasks/wide/waterfall"
    assert link_to(main, "Earlier") == "/tasks/wide/waterfall?from=2.99&to=3.01"
    assert link_to(main, "Zoom out") == "/tasks/wide/waterfall?from=2.99&to=3.03"


def test_links_lead_out_of_a_time_after_the_run(wide: Server) -> None:
    """A person who zoomed in and then looks at an earlier event sees such a time."""
    main = page(wide, "/tasks/wide/waterfall?from=5000&to=6000")
    for label in ("Zoom out", "Earlier", "Whole run"):
        assert link_to(main, label) == "/tasks/wide/waterfall", label


def test_a_run_of_many_years_can_be_zoomed(server: Server) -> None:
    zero = msgspec.structs.replace(item("start", "zero", None), occurred_at="0001-01-01T00:00:00Z")
    server.emit("years", zero, item("complete", "zero"), item("start", "now", None), item("complete", "now"))
    assert names(page(server, "/tasks/years/waterfall?from=60000000000&to=90000000000")) == ["zero", "now"]


def test_a_further_page_has_no_checkpoints_of_earlier_ones(server: Server) -> None:
    def commit(name: str, at: str) -> NewEvent:
        payload = {"checkpoint_id": name}
        return NewEvent(event_type="checkpoint_commit", span_id="a", payload=payload, occurred_at=f"{DAY}{at}Z")

    def at(time: str, event: NewEvent) -> NewEvent:
        return msgspec.structs.replace(event, occurred_at=f"{DAY}{time}Z")

    first = [
        at("10:00:00", item("start", "a", None)),
        commit("early", "10:00:01"),
        at("10:00:02", item("complete", "a")),
    ]
    server.emit("stops", *first)
    later = server.latest("stops")
    server.emit("stops", at("11:00:00", item("start", "b", None)), at("11:00:09", item("complete", "b")))
    server.emit("stops", commit("late", "11:00:05"))
    assert "early" in page(server, "/tasks/stops/waterfall").text
    further = page(server, f"/tasks/stops/waterfall?after={later}").text
    assert ("late" in further, "early" in further) == (True, False)


def test_filters_keep_the_matching_spans_and_their_parents(wide: Server) -> None:
    assert names(page(wide, "/tasks/wide/waterfall?state=failed")) == ["run", "shard-50"]
    assert names(page(wide, "/tasks/wide/waterfall?q=SHARD-31&kind=work_item")) == [
        "run", "shard-31", *[f"shard-31{n}" for n in range(10)]
    ]  # fmt: skip
    assert "No spans match." in page(wide, "/tasks/wide/waterfall?q=nothing").text


def test_the_critical_path_can_be_shown_alone_or_hidden(wide: Server) -> None:
    marked = page(wide, "/tasks/wide/waterfall")
    assert elements_with_class(marked.by_id(ids.span("s50")), "fall-critical")
    assert not elements_with_class(page(wide, link_to(marked, "hidden")), "fall-critical")
    alone = names(page(wide, "/tasks/wide/waterfall?critical=only&q=shard-31"))
    assert alone == ["run", "shard-31", *[f"shard-31{n}" for n in range(8)]]


def test_a_row_shows_its_details_without_hovering(wide: Server) -> None:
    closed = page(wide, "/tasks/wide/waterfall").by_id(ids.span("s50"))
    (show,) = elements_with_class(closed, "fall-show")
    opened = page(wide, str(show.attributes["href"]).split("#")[0]).by_id(ids.span("s50"))
    (facts,) = elements_with_class(opened, "fall-facts")
    for fact in ("failed", "work item", "500 ms", "4 ms (100 %)", "run", "checksum differs"):
        assert fact in facts.text
    assert not elements_with_class(closed, "fall-facts")
    tooltip = elements_with_class(closed, "fall-line")[0].all("title")[0].text
    assert tooltip == "shard-50 · work item · failed · started at 500 ms · duration 4 ms · self time 4 ms"


def test_a_subtree_folds(server: Server) -> None:
    emit_paused_run(server, "fold")
    main = page(server, "/tasks/fold/waterfall?fold=b")
    assert names(main) == ["run", "first", "second"]
    (toggle,) = [a for a in main.by_id(ids.span("b")).all("a") if "fall-toggle" in str(a.attributes["class"])]
    assert toggle.attributes["aria-label"] == "Show the child spans of second"
    assert names(page(server, str(toggle.attributes["href"]).split("#")[0])) == ["run", "first", "second", "below"]


def test_the_links_of_a_page_repeat_short_names_of_the_newest_rows_alone() -> None:
    query = WaterfallQuery()
    for number in range(100):
        address = query.toggled("show", f"{number}{'漢' * 250}")
        query = WaterfallQuery(show=tuple(parse_qs(address[1:])["show"]))
    assert len(address) < 1300
    assert [query.shows(f"{number}{'漢' * 250}") for number in (0, 70, 99)] == [False, True, True]


def test_a_span_with_a_long_id_is_shown_folded_and_found_in_its_group(server: Server) -> None:
    long = [f"{number:02}{'漢' * 250}" for number in range(21)]
    server.emit("long-ids", *(item("start", span_id, None) for span_id in long), item("start", "below", long[0]))
    main = page(server, f"/tasks/long-ids/waterfall?open={quote(long[5])}")
    assert len(elements_with_class(main, "fall")) == 23
    for link, facts, rows in (("fall-show", 1, 23), ("fall-toggle", 1, 22)):
        (found,) = elements_with_class(main.by_id(ids.span(long[0])), link)
        address = str(found.attributes["href"]).partition("#")[0]
        assert len(address) < 400
        main = page(server, address)
        assert len(elements_with_class(main, "fall-facts")) == facts
        assert len(elements_with_class(main, "fall")) == rows


def test_a_task_without_spans_shows_a_note(server: Server) -> None:
    server.post("/api/tasks", {"task_id": "idle"})
    assert "No spans." in page(server, "/tasks/idle/waterfall").text


def test_an_invalid_parameter_is_refused(server: Server) -> None:
    server.emit("bad", "x")
    assert server.get("/tasks/bad/waterfall?gaps=maybe").status_code == 400
    assert server.get("/tasks/bad/waterfall?after=-1").status_code == 400
    assert "from must be less than to" in server.get("/tasks/bad/waterfall?from=5&to=5").text
    assert server.get("/tasks/bad/waterfall?critical=perhaps").status_code == 400
    too_many = server.get("/tasks/bad/waterfall?" + "&".join(f"open={n}" for n in range(1000)))
    assert (too_many.status_code, "all open together must have at most 1200" in too_many.text) == (400, True)
    assert server.get("/tasks/nobody/waterfall").status_code == 404


def test_a_span_shows_its_events_parents_and_children(server: Server) -> None:
    emit_paused_run(server, "one")
    server.emit("one", NewEvent(event_type="log", span_id="b", payload={"message": "afterwards", "extra": {"x": 1}}))
    main = page(server, "/tasks/one/spans/b")
    (chain,) = elements_with_class(main, "span-chain")
    assert [(a.text, a.attributes["href"]) for a in chain.all("a")] == [
        ("one", "/tasks/one"),
        ("run", "/tasks/one/spans/main"),
    ]
    assert [a.text for a in elements_with_class(main, "span-list")[0].all("a")] == ["below"]
    assert "3 events" in main.text
    assert "afterwards" in main.by_id("log-rows").text
    assert '{"extra":{"x":1}}' in main.by_id("log-rows").text
    assert "broken" in main.text


def test_the_events_of_a_span_are_paged(server: Server) -> None:
    server.emit("many", *[NewEvent(event_type="log", span_id=f"s{n % 2}") for n in range(300)])
    main = page(server, "/tasks/many/spans/s1")
    assert len(main.by_id("log-rows").all("li")) == 100
    (link,) = [a for a in main.all("a") if a.text == "Next events"]
    rows = page(server, str(link.attributes["href"])).by_id("log-rows").all("li")
    assert [row.attributes["id"] for row in rows] == [f"e{seq}" for seq in range(202, 301, 2)]


def test_a_parent_cycle_ends_the_chain_of_parents(server: Server) -> None:
    server.emit("ring", item("start", "x", "y"), item("start", "y", "x"))
    assert len(elements_with_class(page(server, "/tasks/ring/spans/x"), "span-chain")[0].all("a")) == 2


@pytest.mark.parametrize("span", ["a/b", "/src//a.py", "a b?c#d", "ünï", "100%"])
def test_a_span_of_any_name_has_its_page(server: Server, span: str) -> None:
    task = f"names-{ids.span(span)}"
    server.emit(task, item("start", span, None))
    (row,) = elements_with_class(page(server, f"/tasks/{task}/waterfall"), "fall")
    assert span in page(server, str(row.all("a")[0].attributes["href"])).text


def test_an_unknown_span_is_404(server: Server) -> None:
    server.emit("known", "x")
    assert server.get("/tasks/known/spans/nothing").status_code == 404
    assert server.get("/tasks/nobody/spans/nothing").status_code == 404


def test_an_open_group_stays_open_when_an_earlier_span_arrives(server: Server) -> None:
    def shard(number: int, second: int) -> NewEvent:
        started = f"2026-11-21T14:00:{second:02}.000000Z"
        return NewEvent(
            event_type="span_end",
            span_id=f"shard-{number}",
            parent_span_id="root",
            payload={"name": f"shard {number}", "started_at": started},
            occurred_at="2026-11-21T14:01:00Z",
        )

    server.emit("late-shard", *(shard(number, 10 + number) for number in range(30)))
    server.emit("late-shard", shard(99, 5))
    opened = page(server, "/tasks/late-shard/waterfall?open=shard-0")
    (group,) = elements_with_class(opened, "fall--group")
    (link,) = elements_with_class(group, "fall-link")
    assert link.attributes["aria-expanded"] == "true"
    assert "open=" not in str(link.attributes["href"])


def test_deep_spans_say_how_deep_they_are_and_that_those_above_are_not_shown(server: Server) -> None:
    for size in (300, 20):
        parents = [None, *(f"s{number}" for number in range(size - 1))]
        server.emit(f"deep-{size}", *(item("start", f"s{number}", parent) for number, parent in enumerate(parents)))
    panel = page(server, "/tasks/deep-300").by_id(ids.SPANS)
    levels = [level.text for level in elements_with_class(panel, "span-level")]
    assert levels[0] == "9 levels down"
    assert levels[-1] == "279 levels down"
    assert [one.text for one in elements_with_class(panel, "span--above")] == ["The spans above are not shown."]
    assert not elements_with_class(page(server, "/tasks/deep-20").by_id(ids.SPANS), "span--above")
    rows = elements_with_class(page(server, "/tasks/deep-300/waterfall?row=250"), "span-level")
    assert rows[-1].text == "299 levels down"


def test_the_end_of_the_name_of_a_test_is_apart_from_its_path(server: Server) -> None:
    name = "tests/a/test_b.py::TestC::test_d[x::y]"
    server.emit("named", item("start", "main", None), item("start", "t", work_item_id=name))
    for path in ("/tasks/named", "/tasks/named/waterfall"):
        main = page(server, path)
        assert [end.text for end in elements_with_class(main, "name-end")] == ["test_d[x::y]"]
        assert [front.text for front in elements_with_class(main, "name-front")] == ["tests/a/test_b.py::TestC::"]
