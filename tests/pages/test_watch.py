"""Test the page that shows some runs as tiles."""

from __future__ import annotations

from signalbox.store import NewEvent
from tests.support.server import Server


def test_each_tile_shows_the_standing_and_the_newest_rows_of_its_run(server: Server) -> None:
    server.emit("build", *(f"line {n}" for n in range(30)))
    failed = NewEvent(event_type="runner_exit", payload={"exit_code": 1, "message": "no space left"})
    server.emit("deploy", NewEvent(event_type="runner_spawn"), failed)
    page = server.get("/watch?task=build&task=deploy").text
    assert page.count('class="tile ') == 2
    assert "line 29" in page
    assert "line 20" in page
    assert "line 19" not in page
    assert "no space left" in page


def test_a_page_watches_two_to_nine_runs(server: Server) -> None:
    for name in ("a", "b"):
        server.emit(name, "hello")
    assert server.get("/watch?task=a&task=b").status_code == 200
    for query, count in (("task=a", 1), ("task=a&task=a", 1), ("&".join(f"task=t{n}" for n in range(10)), 10)):
        refused = server.get(f"/watch?{query}")
        assert (refused.status_code, f"task must be given 2 to 9 times, not {count}" in refused.text) == (400, True)
    assert server.get("/watch?task=a&task=nobody").status_code == 404
    assert server.get("/watch?task=a&task=b@other").status_code == 410
