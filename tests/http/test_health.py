"""Health: one list of problems, for the health routes and for Prometheus."""

from __future__ import annotations

from signalbox.webapp.http.health import Health, Problem
from tests.support.server import Server


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
