"""Health: one list of problems, for the health routes and for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from signalbox.webapp import __version__
from signalbox.webapp.http.health import Health, Problem
from tests.support.people import token, wait_until_guarded
from tests.support.server import Server
from tests.support.waiting import wait_until


def test_a_healthy_server_lists_no_problem(server: Server) -> None:
    for path in ("/api/events/health", "/sse/health"):
        response = server.get(path)
        assert (response.status_code, response.json()["status"], response.json()["problems"]) == (200, "ok", [])
        assert response.json()["warnings"] == []
    assert "signalbox_healthy 1.0" in server.get("/metrics").text


def test_problems_of_all_sources_are_listed_once_per_code() -> None:
    health = Health()
    health.watch(lambda: [Problem("full", "no room"), Problem("late", "it is late")])
    health.watch(lambda: [Problem("full", "no room here either")])
    assert health.problems() == [Problem("full", "no room"), Problem("late", "it is late")]


def test_the_probes_answer_everybody_under_every_name(start_server: Callable[..., Server]) -> None:
    server = start_server()
    token(server.store, "reader")
    wait_until_guarded(server)
    assert server.get("/api/tasks").status_code == 401
    for path, name in (("/healthz", "10.0.0.7"), ("/readyz", "console.example.org")):
        response = server.get(path, headers={"Host": name})
        assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
        assert response.json()["status"] == "ok"
    assert server.get("/api/events/health", headers={"Host": "10.0.0.7"}).status_code == 421


def test_a_process_without_its_database_runs_but_is_not_ready(start_server: Callable[..., Server]) -> None:
    server = start_server()
    process = server.get("/healthz").json()["process"]
    moved = server.path.rename(server.path.with_suffix(".moved"))
    wait_until(lambda: server.get("/readyz").status_code == 503)
    response = server.get("/readyz")
    assert [problem["code"] for problem in response.json()["problems"]] == ["store_lost"]
    assert str(moved.parent) not in response.text
    assert response.headers["Retry-After"] == "5"
    healthy = server.get("/healthz")
    assert (healthy.status_code, healthy.json()["process"]) == (200, process)
    moved.rename(server.path)
    wait_until(lambda: server.get("/readyz").status_code == 200)


def test_metrics_name_the_process(server: Server) -> None:
    process = server.get("/healthz").json()["process"]
    text = server.get("/metrics").text
    assert f'signalbox_process_info{{process="{process}",version="{__version__}",worker="0"}} 1.0' in text
    assert "signalbox_workers 1.0" in text
