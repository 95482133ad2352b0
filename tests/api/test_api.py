"""The JSON API, route by route, as clients see it."""

from __future__ import annotations

import re

import httpx
import pytest

from signalbox.store import NewEvent
from tests.support.server import Server


@pytest.fixture(scope="module")
def run(shared_server: Server) -> str:
    """Post a small run with phases, work items, a checkpoint and an open permission request; return its task id."""
    steps = [
        {"event_type": "runner_spawn", "span_id": "main", "payload": {"runner_pid": 7}},
        {"event_type": "phase_enter", "phase": "planning", "span_id": "p1", "parent_span_id": "main"},
        {"event_type": "phase_exit", "phase": "planning", "span_id": "p1"},
        {"event_type": "phase_enter", "phase": "executing", "span_id": "p2", "parent_span_id": "main"},
        {
            "event_type": "work_item_start",
            "phase": "executing",
            "span_id": "w1",
            "parent_span_id": "p2",
            "payload": {"work_item_id": "one"},
        },
        {
            "event_type": "checkpoint_commit",
            "phase": "executing",
            "span_id": "p2",
            "payload": {"checkpoint_id": "c1", "checkpoint_type": "batch", "evidence_refs": {"artifacts": ["a.json"]}},
        },
        {"event_type": "evidence_collected", "span_id": "p2", "payload": {"checkpoint_id": "c1", "evidence_id": "e1"}},
        {"event_type": "log", "payload": {"message": "zażółć <script>"}},
    ]
    response = shared_server.post("/api/tasks/run/events", steps)
    assert response.status_code == 201
    return "run"


def error_of(response: httpx.Response) -> dict[str, str]:
    assert response.headers["content-type"] == "application/json"
    return dict(response.json()["error"])


def test_a_task_is_created_once(server: Server) -> None:
    first = server.post("/api/tasks", {"task_id": "made", "title": "A build", "kind": "build", "metadata": {"n": 1}})
    again = server.post("/api/tasks", {"task_id": "made", "title": "Something else"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert first.json()["status"] == "queued"
    assert re.fullmatch(r"\w{26}", server.post("/api/tasks", {}).json()["task_id"])


def test_one_event_is_returned_as_stored(server: Server) -> None:
    response = server.post("/api/tasks/single/events", {"event_type": "log", "payload": {"message": "hi"}})
    event = response.json()
    assert response.status_code == 201
    assert (event["seq"], event["task_id"], event["actor"], event["payload"]) == (
        1,
        "single",
        "runner",
        {"message": "hi"},
    )
    assert event["span_id"]


def test_a_post_repeated_with_the_same_key_stores_one_event(server: Server) -> None:
    body = {"event_type": "log", "key": "only-once"}
    first = server.post("/api/tasks/keyed/events", body).json()
    assert server.post("/api/tasks/keyed/events", body).json() == first
    assert server.get("/api/tasks/keyed/events").json()["total"] == 1


def test_the_log_is_paged_by_seq(server: Server, run: str) -> None:
    first = server.get(f"/api/tasks/{run}/events?limit=5").json()
    rest = server.get(f"/api/tasks/{run}/events?limit=5&since_seq={first['next_seq']}").json()
    assert [event["seq"] for event in first["events"] + rest["events"]] == list(range(1, 9))
    assert (first["has_more"], rest["has_more"], first["total"], rest["next_seq"]) == (True, False, 8, 8)
    beyond = server.get(f"/api/tasks/{run}/events?since_seq=8").json()
    assert (beyond["events"], beyond["has_more"], beyond["next_seq"]) == ([], False, 8)


def test_latest_events_are_listed_newest_first(server: Server, run: str) -> None:
    assert [event["seq"] for event in server.get(f"/api/tasks/{run}/events/latest?limit=3").json()] == [8, 7, 6]


def test_the_snapshot_lists_open_spans_and_permissions(server: Server, run: str) -> None:
    snapshot = server.get(f"/api/tasks/{run}/events/snapshot?limit=4").json()
    assert [event["seq"] for event in snapshot["events"]] == [5, 6, 7, 8]
    assert (snapshot["latest_seq"], snapshot["total_events"], snapshot["current_phase"]) == (8, 8, "executing")
    assert snapshot["active_spans"] == ["main", "p2", "w1"]
    assert [span["span_id"] for span in snapshot["open_spans"]] == snapshot["active_spans"]


def test_the_graph_has_spans_and_edges(server: Server, run: str) -> None:
    graph = server.get(f"/api/tasks/{run}/graph").json()
    assert {(edge["from"], edge["to"]) for edge in graph["edges"]} == {("main", "p1"), ("main", "p2"), ("p2", "w1")}
    item = next(span for span in graph["spans"] if span["span_id"] == "w1")
    assert (item["event_type"], item["seq"], item["payload"]) == ("work_item_start", 5, {"work_item_id": "one"})


def test_checkpoints_are_returned_with_their_evidence(server: Server, run: str) -> None:
    (checkpoint,) = server.get(f"/api/tasks/{run}/checkpoints").json()
    assert (checkpoint["checkpoint_id"], checkpoint["checkpoint_type"]) == ("c1", "batch")
    assert checkpoint["evidence_refs"] == {"artifacts": ["a.json"]}
    assert "payload_json" not in checkpoint
    assert [event["payload"]["evidence_id"] for event in checkpoint["evidence"]] == ["e1"]


def test_the_state_of_each_of_many_checkpoints_is_returned(server: Server) -> None:
    commits = [NewEvent(event_type="checkpoint_commit", payload={"checkpoint_id": f"c{n}"}) for n in range(1200)]
    for at in range(0, len(commits), 100):
        server.store.append("many-checkpoints", commits[at : at + 100])
    server.store.append("many-checkpoints", NewEvent(event_type="checkpoint_verified", payload={"checkpoint_id": "c0"}))
    found = server.get("/api/tasks/many-checkpoints/checkpoints").json()
    assert [one["state"] for one in found[:3]] == ["verified", "committed", "committed"]
    assert len([one for one in found if one["state"] is None]) == 0


def test_events_can_be_filtered_by_phase(server: Server, run: str) -> None:
    events = server.get(f"/api/tasks/{run}/events/phase/executing").json()
    assert [event["seq"] for event in events] == [4, 5, 6]
    assert server.get(f"/api/tasks/{run}/events/phase/nothing").json() == []


def test_tasks_are_listed_with_filters_and_a_cursor(server: Server, run: str) -> None:
    for n in range(5):
        server.post("/api/tasks", {"task_id": f"listed-{n}", "kind": "listed"})
    first = server.get("/api/tasks?kind=listed&limit=3").json()
    second = server.get("/api/tasks", params={"kind": "listed", "limit": 3, "cursor": first["next_cursor"]}).json()
    assert [task["task_id"] for task in first["tasks"] + second["tasks"]] == [f"listed-{n}" for n in (4, 3, 2, 1, 0)]
    assert (first["has_more"], second["has_more"], second["next_cursor"]) == (True, False, None)
    running = server.get("/api/tasks?status=running&q=ru").json()["tasks"]
    assert [(task["task_id"], task["phase"], task["latest_seq"]) for task in running] == [("run", "executing", 8)]


def test_health_routes_report_status_and_service(server: Server) -> None:
    health = server.get("/api/events/health").json()
    assert (health["status"], health["service"]) == ("ok", "task_events_api")
    assert health["version"]
    stream = server.get("/sse/health").json()
    assert (stream["status"], stream["service"], stream["protocol"]) == ("ok", "task_events_sse", "sse")


@pytest.mark.parametrize(
    ("path", "parameter", "bounds"),
    [
        ("/api/tasks/run/events?limit=0", "limit", "1 and 1000"),
        ("/api/tasks/run/events?limit=1001", "limit", "1 and 1000"),
        ("/api/tasks/run/events?limit=ten", "limit", "1 and 1000"),
        ("/api/tasks/run/events?limit=1e3", "limit", "1 and 1000"),
        ("/api/tasks/run/events?limit=--3", "limit", "1 and 1000"),
        ("/api/tasks/run/events?limit=" + "9" * 5000, "limit", "1 and 1000"),
        ("/api/tasks/run/events?since_seq=-1", "since_seq", "0 and"),
        ("/api/tasks/run/events?since_seq=", "since_seq", "0 and"),
        ("/api/tasks/run/events/latest?limit=501", "limit", "1 and 500"),
        ("/api/tasks/run/events/snapshot?limit=501", "limit", "1 and 500"),
        ("/api/tasks/run/events/phase/executing?limit=1001", "limit", "1 and 1000"),
        ("/api/tasks?limit=501", "limit", "1 and 500"),
        ("/api/tasks?status=sleeping", "status", "queued, running"),
        ("/api/tasks?cursor=nonsense", "cursor", "page of tasks"),
        ("/sse/tasks/run/events?batch_size=101", "batch_size", "1 and 100"),
        ("/sse/tasks/run/events?flush_interval=0.05", "flush_interval", "0.1 and 5"),
        ("/sse/tasks/run/events?flush_interval=nan", "flush_interval", "0.1 and 5"),
        ("/sse/tasks/run/events?since_seq=x", "since_seq", "0 and"),
    ],
)
def test_an_invalid_parameter_is_named_with_its_bounds(
    server: Server, run: str, path: str, parameter: str, bounds: str
) -> None:
    response = server.get(path)
    assert response.status_code == 400
    error = error_of(response)
    assert error["field"] == parameter
    assert bounds in error["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", None),
        (b"{", None),
        (b"\xff\xfe", None),
        (b'{"event_type": "\xff"}', None),
        (b"[" * 100_000 + b"]" * 100_000, None),
        (b"7", None),
        (b"{}", "event_type"),
        (b'{"event_type": ""}', "event_type"),
        (b'{"event_type": 7}', "event_type"),
        (b'{"event_type": "log", "payload": []}', "payload"),
        (b'{"event_type": "log", "payload": "text"}', "payload"),
        (b'{"event_type": "log", "payload": null}', "payload"),
        (b'{"event_type": "log", "phase": "a\\nb"}', "phase"),
        (b'{"event_type": "log", "actor": ""}', "actor"),
        (b'{"event_type": "log", "seq": 5}', "seq"),
        (b'[{"event_type": "log"}, {"event_type": "log", "span_id": 5}]', "span_id"),
    ],
)
def test_an_invalid_event_is_refused_and_nothing_is_stored(server: Server, body: bytes, field: str | None) -> None:
    response = server.post("/api/tasks/refused/events", content=body)
    assert response.status_code == 400
    assert error_of(response).get("field") == field
    assert server.get("/api/tasks/refused/events").status_code == 404


def test_an_empty_list_stores_nothing(server: Server) -> None:
    response = server.post("/api/tasks/empty-list/events", [])
    assert (response.status_code, response.json()) == (201, [])


@pytest.mark.parametrize(
    "path",
    ["events", "events/latest", "events/snapshot", "events/phase/x", "graph", "checkpoints", ""],
)
def test_an_unknown_task_is_404(server: Server, path: str) -> None:
    response = server.get(f"/api/tasks/nobody/{path}".rstrip("/"))
    assert response.status_code == 404
    assert error_of(response)["code"] == "unknown_task"


def test_an_invalid_task_id_in_a_post_is_400(server: Server) -> None:
    response = server.post("/api/tasks/a%20b/events", {"event_type": "log"})
    assert (response.status_code, error_of(response)["field"]) == (400, "task_id")


def test_a_body_over_the_limit_is_413(server: Server) -> None:
    response = server.post("/api/tasks/big/events", content=b" " * 10_000_000)
    assert response.status_code == 413
    assert "4194304 bytes" in error_of(response)["message"]


def test_unknown_routes_and_methods_are_answered_in_json(server: Server) -> None:
    assert error_of(server.get("/api/nothing"))["code"] == "not_found"
    response = httpx.put(server.url + "/api/tasks")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")


def test_a_second_answer_to_a_permission_request_is_409(server: Server) -> None:
    server.post("/api/tasks/asks/events", {"event_type": "permission_request", "payload": {"request_id": "r1"}})
    assert server.post("/api/tasks/asks/permissions/r1", {"approved": True}).status_code == 201
    second = server.post("/api/tasks/asks/permissions/r1", {"approved": True})
    assert second.status_code == 409
    assert "already approved by local user" in error_of(second)["message"]


def test_the_openapi_document_describes_every_route(server: Server) -> None:
    from signalbox.webapp.app import create_app
    from signalbox.webapp.settings import Settings

    app = create_app(Settings())
    exports = ("/raw", "/spans.csv", "/export.html", "/export.ndjson")
    served = {
        (re.sub(r"<(?:[^<>:]+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or {"GET"}) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/api/", "/v1/", "/sse/", "/ws/", "/metrics", "/healthz", "/readyz"))
        or (rule.rule.endswith(exports) and "/artifacts/" not in rule.rule)
    }
    document = server.get("/api/openapi.json").json()
    places = (document["paths"] | document["x-websockets"]).items()
    described = {(path, method) for path, item in places for method in item}
    assert described == served


def test_cross_site_posts_and_unknown_host_names_are_refused(server: Server) -> None:
    event = {"event_type": "log"}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert server.post("/api/tasks/csrf/events", event, headers=headers).status_code == 403
    assert server.post("/api/tasks/csrf/events", event, headers={"Origin": server.url}).status_code == 201
    rebound = server.get("/api/tasks", headers={"Host": "evil.example"})
    assert rebound.status_code == 421
    assert error_of(rebound)["code"] == "wrong_host"


def test_every_response_has_the_security_headers(server: Server) -> None:
    for path in ("/", "/api/tasks", "/nothing", "/sse/health"):
        headers = server.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
