"""`/tasks/{id}/timeline`: the moments of a run by phase, and the expected next step."""

from __future__ import annotations

from signalbox.store import NewEvent, open_task
from tests.support.addresses import without_identity
from tests.support.dom import Node, parse
from tests.support.server import Server


def page(server: Server, path: str) -> Node:
    response = server.get(path)
    assert response.status_code == 200, response.text
    return parse(response.text).by_id("main")


def elements_with_class(node: Node, name: str) -> list[Node]:
    return [child for child in node.walk() if name in str(child.attributes.get("class")).split()]


def moments(main: Node) -> list[str]:
    return [node.text for node in elements_with_class(main, "moment-says")]


def event(kind: str, span: str = "main", phase: str | None = None, **payload: object) -> NewEvent:
    return NewEvent(event_type=kind, span_id=span, phase=phase, payload=payload)


def test_the_timeline_groups_moments_by_phase(server: Server) -> None:
    server.emit(
        "story",
        event("runner_spawn"),
        event("phase_enter", "p", "executing"),
        *[event("work_item_start", f"w{n}", "executing", work_item_id=f"item {n}") for n in range(4)],
        event("work_item_complete", "w0", "executing"),
        event("work_item_failed", "w1", "executing", work_item_id="item 1", message="broken"),
        event("checkpoint_commit", "p", "executing", checkpoint_id="c1", evidence_refs={"artifacts": ["a", "b"]}),
        event("checkpoint_verified", "p", "executing", checkpoint_id="c1"),
        event("work_item_start", "w1", "executing"),
        event("work_item_complete", "w1", "executing"),
        event("work_item_failed", "w2", "executing", work_item_id="item 2", error_code="E7"),
        event("permission_request", "p", "executing", request_id="r", tool_name="rm", reason="they are old"),
        event("permission_response", "p", "executing", request_id="r", approved=True, by="ann"),
    )
    main = page(server, "/tasks/story/timeline")
    titles = [" ".join(node.text.split()) for node in elements_with_class(main, "chapter-title")]
    assert titles[0] == "Before the first phase"
    assert titles[1].startswith("Executing: 2 of 4 work items, 1 failed, 1 failed and retried open")
    assert moments(main) == [
        "The run started",
        "item 1 failed: broken",
        "Checkpoint c1 with 2 artifacts",
        "Checkpoint c1 verified",
        "item 2 failed: E7",
        "Requested approval of rm: they are old",
        "Approved by ann",
    ]
    links = [a.attributes["href"] for moment in elements_with_class(main, "moment") for a in moment.all("a")]
    assert without_identity(str(links[1])) == "/tasks/story/log?around=8#e8"


def finish_run(server: Server, task: str, kind: str) -> None:
    with open_task(server.store, task, kind=kind) as run:
        for phase in ("planning", "executing"):
            with run.phase(phase):
                pass


def test_retries_are_not_counted_in_a_part_of_the_spans(server: Server) -> None:
    def retried(name: str) -> list[NewEvent]:
        kinds = ("start", "failed", "start", "complete")
        return [event(f"work_item_{kind}", name, "executing", work_item_id=name) for kind in kinds]

    items = [event("work_item_start", f"w{n}", "executing", work_item_id=f"w{n}") for n in range(5000)]
    server.emit("many-items", event("phase_enter", "p", "executing"), *retried("first"), *items, *retried("last"))
    (title,) = elements_with_class(page(server, "/tasks/many-items/timeline"), "chapter-title")
    assert "2 of 5,002 work items" in title.text
    assert "retried" not in title.text


def test_long_sentences_make_a_page_shorter(server: Server) -> None:
    failed = [event("work_item_failed", f"w{n}", work_item_id=f"item {n}", message="m" * 4000) for n in range(400)]
    server.emit("wordy", *failed)
    response = server.get("/tasks/wordy/timeline")
    assert len(response.content) < 400_000
    assert "item 90 failed" in response.text
    assert "only the first part of the timeline" in response.text


def test_the_next_step_is_estimated_from_earlier_runs_of_the_kind(server: Server) -> None:
    for number in range(3):
        finish_run(server, f"earlier-{number}", "nightly")
    finish_run(server, "other", "weekly")
    server.post("/api/tasks", {"task_id": "now", "kind": "nightly"})
    server.emit("now", event("phase_enter", "p", "planning"))
    (next_step,) = elements_with_class(page(server, "/tasks/now/timeline"), "next")
    text = " ".join(next_step.text.split())
    assert "Next step executing" in text
    assert "(3 runs)" in text
    assert "based on 3 earlier runs of kind nightly" in text


def test_without_earlier_runs_there_is_no_estimate(server: Server) -> None:
    server.post("/api/tasks", {"task_id": "alone", "kind": "unheard"})
    server.emit("alone", event("phase_enter", "p", "planning"))
    assert "No forecast: no earlier run of kind unheard completed" in page(server, "/tasks/alone/timeline").text
    server.emit("kindless", event("phase_enter", "p", "planning"))
    assert "this run has no kind" in page(server, "/tasks/kindless/timeline").text


def test_an_ended_run_has_no_next_step(server: Server) -> None:
    finish_run(server, "ended", "done-kind")
    main = page(server, "/tasks/ended/timeline")
    assert not elements_with_class(main, "next")
    assert moments(main)[-1] == "The run ended: done"


def test_hostile_payloads_are_shown_as_text(server: Server) -> None:
    server.emit(
        "hostile",
        event("checkpoint_commit", "s", None, evidence_refs=[1], message={"<b>": [1]}),
        event("permission_request", "s", None, tool_name=["<script>"]),
        event("work_item_failed", "s", None, work_item_id=7, message="<i>no</i>"),
    )
    assert len(moments(page(server, "/tasks/hostile/timeline"))) == 3
    assert "<script>[" not in server.get("/tasks/hostile/timeline").text


def test_an_empty_task_has_a_timeline_and_an_unknown_task_is_404(server: Server) -> None:
    server.post("/api/tasks", {"task_id": "empty"})
    assert "No events." in page(server, "/tasks/empty/timeline").text
    assert server.get("/tasks/nobody/timeline").status_code == 404
