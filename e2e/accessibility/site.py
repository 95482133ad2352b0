"""The site whose pages are checked: a server with runs in every state, and an empty one."""

from __future__ import annotations

from typing import Any, NamedTuple

from playwright.sync_api import Page

from e2e.axe import expect_accessible, expect_no_sideways_scroll
from e2e.random_run import run
from signalbox.store import NewEvent
from tests.support.server import Server


class Site(NamedTuple):
    """A server with runs in every state, and an empty one."""

    filled: Server
    empty: Server


def event(event_type: str, **payload: Any) -> NewEvent:
    named = {name: payload.pop(name) for name in ("actor", "phase", "span_id", "parent_span_id") if name in payload}
    return NewEvent(event_type=event_type, payload=payload, **named)


def permission_request(request_id: str) -> NewEvent:
    evidence = {"artifacts": ["report.json"], "commit": "0123abc"}
    return event(
        "permission_request",
        request_id=request_id,
        tool_name="rm",
        reason="they are old",
        arguments={"path": "/data/" + "x" * 200},
        evidence_refs=evidence,
    )


def ask_for_values(server: Server) -> None:
    """Emit a run with a form of each kind, a message to it, a tool that is always allowed, and changed arguments."""
    schema = {
        "required": ["text", "seats"],
        "properties": {
            "text": {"type": "string", "maxLength": 2000, "description": "Some words."},
            "seats": {"type": "integer"},
            "yes": {"type": "boolean", "title": "Yes or no"},
            "many": {"enum": list(range(10))},
            "group": {"type": "object", "properties": {"lines": {"type": "array", "items": {"type": "string"}}}},
        },
    }
    asked: list[dict[str, Any]] = [
        {"arguments": {"branch": "fix/ack", "force": True}, "editable": True},
        {"choices": ["staging", "production"]},
        {"response_schema": schema},
    ]
    requests = [event("permission_request", request_id=f"p{n}", tool_name="push", **one) for n, one in enumerate(asked)]
    server.emit("asking", event("runner_spawn"), *requests)
    answer = {"decision": "approve", "form": "1", "value/branch": "main", "always": "1"}
    assert server.post("/tasks/asking/permissions/p0", data=answer).is_redirect
    assert server.post("/tasks/asking/messages", data={"text": "Use the staging database."}).is_redirect


def fill(server: Server) -> None:
    """Emit the runs whose pages are checked."""
    events = list(run(3, 60))
    server.emit("done", *events)
    server.emit("failed", *events[:40], event("runner_exit", span_id="main", exit_code=1, error_code="broken"))
    server.emit("running", *events[:36])
    server.emit("waiting", *events[:20], permission_request("p1"))
    server.emit("answered", "started", permission_request("p1"))
    ask_for_values(server)
    texts, grounds = (*range(30, 38), *range(90, 98)), (*range(40, 48), *range(100, 108))
    server.emit(
        "colours",
        *("".join(f"\x1b[{text};{ground}m {text} " for text in texts) for ground in grounds),
        "".join(f"\x1b[0;{text}m {text} \x1b[2m dim \x1b[7m reversed " for text in texts),
        "\x1b[8mconcealed\x1b[0m \x1b[7mreversed\x1b[0m \x1b]8;;https://example.org/\x07a link\x1b]8;;\x07 amid text",
        "first\nsecond\nthird",
        event("runner_heartbeat"),
    )
    markdown = (
        "# Title\n\n## Part\n\n|a|b|\n|-|-|\n|1|2|\n\n```diff\n-old\n+new\n```\n\n> `code` [link](https://example.org/)"
    )
    server.emit(
        "payloads",
        event(
            "tool_result",
            tool_name="bash",
            arguments={"command": "make test"},
            text=markdown,
            diff="@@ -1 +1 @@ at\n-old line\n+new line",
            items=[{"n": n, "value": "v" * 80} for n in range(150)],
        ),
    )
    proof = event("evidence_linked", checkpoint_id="c1", evidence_id="report", message="x" * 200)
    server.emit(
        "proven", event("checkpoint_commit", checkpoint_id="c1", evidence_refs={"artifacts": ["a.json"]}), proof
    )
    answer = {"decision": "approve", "reason": "yes"}
    assert server.post("/tasks/answered/permissions/p1", data=answer).is_redirect


def check(page: Page, look: str) -> None:
    """Check a page that is shown in one of the looks of `visitor.SCREENS`."""
    if look == "zoomed":
        expect_no_sideways_scroll(page)
    else:
        expect_accessible(page)
