"""`/tasks/{id}/checkpoints/{checkpoint}`: the references and evidence of a checkpoint, and links to its page."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from signalbox.store import NewEvent
from signalbox.webapp.drawing import ids
from tests.support.addresses import without_identity
from tests.support.dom import Node, parse
from tests.support.server import Server


def event(event_type: str, span_id: str = "main", **payload: Any) -> NewEvent:
    return NewEvent(event_type=event_type, span_id=span_id, phase="executing", payload=payload)


def page(server: Server, path: str) -> Node:
    response = server.get(path)
    assert response.status_code == 200, response.text
    return parse(response.text).by_id("main")


def commit(checkpoint_id: str, **payload: Any) -> NewEvent:
    refs = {"artifacts": ["a.json", "b.json"], "commit_hash": "0123abc", "work_items": ["item 1"]}
    return event("checkpoint_commit", checkpoint_id=checkpoint_id, evidence_refs=refs, **payload)


def emit_checkpoints(server: Server, task: str) -> None:
    """Append two checkpoints with evidence. The first is verified, and a permission request refers to it."""
    server.emit(
        task,
        event("runner_spawn"),
        commit("c1", checkpoint_type="half"),
        event("evidence_collected", evidence_id="e1", evidence_type="test report", checkpoint_id="c1"),
        commit("c10"),
        event("evidence_linked", evidence_id="e2", evidence_refs={"checkpoint_id": "c1"}),
        event("evidence_collected", evidence_id="e3", checkpoint_id="c10"),
        event("checkpoint_verified", checkpoint_id="c1", message="all tests pass"),
        event("permission_request", request_id="r", tool_name="deploy", evidence_refs={"checkpoint_id": "c1"}),
        event("log", message="c1 is only mentioned here"),
    )


def rows(main: Node) -> list[str]:
    return [str(node.attributes["id"]) for node in main.all("li") if node.attributes.get("class", "").startswith("row")]


def test_a_checkpoint_shows_its_references_and_all_its_evidence(server: Server) -> None:
    emit_checkpoints(server, "proven")
    main = page(server, "/tasks/proven/checkpoints/c1")
    text = " ".join(main.text.split())
    assert "verified c1" in text
    assert "typehalf" in text
    assert "all tests pass" in text
    for expected in ("artifactsa.json b.json", "commit hash0123abc", "work itemsitem 1", "2 evidence events"):
        assert expected in text
    assert rows(main) == ["proof-3", "proof-5", "proof-2", "proof-7", "proof-8"]
    assert rows(page(server, "/tasks/proven/checkpoints/c10")) == ["proof-6", "proof-4"]


def test_an_invalid_checkpoint_shows_the_reason(server: Server) -> None:
    server.emit("invalid", commit("c1"), event("checkpoint_invalid", checkpoint_id="c1", message="a file is missing"))
    text = " ".join(page(server, "/tasks/invalid/checkpoints/c1").text.split())
    assert "invalid c1" in text
    assert "a file is missing" in text
    assert "No evidence is linked to this checkpoint." in text


def test_list_timeline_waterfall_and_permission_link_to_the_checkpoint(server: Server) -> None:
    emit_checkpoints(server, "ways")
    for path in (
        "/tasks/ways",
        "/tasks/ways/timeline",
        "/tasks/ways/waterfall",
        "/tasks/ways/permissions/r",
        "/permissions",
    ):
        links = [a for a in page(server, path).all("a") if a.attributes.get("data-drawer") == ids.checkpoint("c1")]
        assert links, f"{path} does not link to the checkpoint"
        assert "/tasks/ways/checkpoints/c1" in {without_identity(str(a.attributes["href"])) for a in links}


def test_checkpoints_without_an_id_or_with_a_numeric_id_have_pages(server: Server) -> None:
    server.emit("unnamed", event("checkpoint_commit"), event("checkpoint_commit", checkpoint_id=7))
    server.emit("unnamed", event("evidence_collected", checkpoint_id=7), event("evidence_collected", checkpoint_id=77))
    assert rows(page(server, "/tasks/unnamed/checkpoints/checkpoint-1")) == ["proof-1"]
    assert rows(page(server, "/tasks/unnamed/checkpoints/7")) == ["proof-3", "proof-2"]


@pytest.mark.parametrize("name", ["a/b", "//a", "a b?c#d", "ünï", "100%", '"quoted"\\', "<script>alert(1)</script>"])
def test_a_checkpoint_of_any_name_has_its_page(server: Server, name: str) -> None:
    task = f"names-{len(name)}-{ord(name[0])}"
    server.emit(task, commit(name), event("evidence_linked", checkpoint_id=name))
    assert rows(page(server, f"/tasks/{task}/checkpoints/{quote(name)}")) == ["proof-2", "proof-1"]
    (link,) = [a for a in page(server, f"/tasks/{task}").all("a") if "data-drawer" in a.attributes]
    assert server.get(str(link.attributes["href"])).status_code == 200


def test_unknown_tasks_and_checkpoints_are_404(server: Server) -> None:
    server.emit("known", "x")
    assert server.get("/tasks/known/checkpoints/nothing").status_code == 404
    assert server.get("/tasks/known/checkpoints/nothing?part=frames").status_code == 404
    assert server.get("/tasks/nobody/checkpoints/c1").status_code == 404


def test_all_events_of_a_checkpoint_are_found_among_those_of_similar_ids(server: Server) -> None:
    server.emit("numbered", commit("c1"), *(commit(f"c1{number}") for number in range(600)))
    proof = event("evidence_linked", evidence_id="e", evidence_refs={"checkpoint_id": "c1"})
    server.emit("numbered", proof, event("checkpoint_verified", checkpoint_id="c1", message="all tests pass"))
    main = page(server, "/tasks/numbered/checkpoints/c1")
    assert "1 evidence event" in main.text
    assert "shown" not in main.text
    assert rows(main) == ["proof-602", "proof-1", "proof-603"]


def test_a_page_says_that_a_checkpoint_has_more_events(server: Server) -> None:
    proof = event("evidence_linked", evidence_id="e", evidence_refs={"checkpoint_id": "c1"})
    server.emit("proven-often", commit("c1"), *[proof] * 600)
    text = page(server, "/tasks/proven-often/checkpoints/c1").text
    assert "600 evidence events, first 499 shown" in text
    assert "This page shows only the first events of this checkpoint." in text
