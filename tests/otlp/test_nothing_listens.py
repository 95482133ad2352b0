"""A trace consists of what a program sends: nothing there reads a request to stop or a message."""

from __future__ import annotations

import httpx
import pytest

from signalbox.store import open_task
from signalbox.store.trace_context import trace_id_of
from tests.otlp.test_requests import logs, post, span, traces
from tests.support.log import task_of, types_of
from tests.support.server import Server

TRACE = "7d" * 16
ACTS = [("cancel", {"reason": "too long"}), ("messages", {"text": "hello"})]


def offers(page: str) -> tuple[bool, bool]:
    return 'id="cancel-run"' in page, 'id="send-message"' in page


@pytest.mark.parametrize(("act", "body"), ACTS)
def test_a_trace_can_be_asked_nothing(server: Server, act: str, body: dict[str, str]) -> None:
    running = {**span(TRACE, 1), "endTimeUnixNano": "0"}
    assert post(server, traces(running, service__name="shop")).status_code == 200
    url = f"{server.url}/tasks/{TRACE}"
    assert offers(httpx.get(url).text) == (False, False)
    refused = httpx.post(f"{server.url}/api/tasks/{TRACE}/{act}", json=body)
    assert refused.status_code == 409
    assert refused.json()["error"]["message"].startswith("nothing listens: this task is a trace")
    identity = task_of(server.store, TRACE).identity
    form = httpx.post(f"{url}/{act}?identity={identity}", data=body, headers={"Origin": server.url})
    assert form.status_code == 409
    assert "nothing listens" in form.text
    assert {"cancel_requested", "message_sent"}.isdisjoint(types_of(server.store, TRACE))


def test_the_log_of_a_service_can_be_asked_nothing(server: Server) -> None:
    assert post(server, logs({"body": {"stringValue": "x"}}, service__name="silent"), "/v1/logs").status_code == 200
    tasks = httpx.get(f"{server.url}/api/tasks", params={"kind": "silent"}).json()["tasks"]
    refused = httpx.post(f"{server.url}/api/tasks/{tasks[0]['task_id']}/cancel", json={})
    assert refused.status_code == 409


def test_a_run_that_spans_have_joined_can_be_asked(server: Server) -> None:
    with open_task(server.store, "joined-run") as run:
        trace = trace_id_of("joined-run")
        assert post(server, traces(span(trace, 1))).status_code == 200
        assert "span_end" in types_of(server.store, "joined-run")
        assert offers(httpx.get(f"{server.url}/tasks/joined-run").text) == (True, True)
        for act, body in ACTS:
            assert httpx.post(f"{server.url}/api/tasks/joined-run/{act}", json=body).status_code == 201
        assert run is not None
