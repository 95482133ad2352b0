"""Test the page and the API of the search over all runs, on one server with two projects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from signalbox.store import NewEvent
from tests.support.people import Headers, person, session, wait_until_guarded
from tests.support.server import Server


@dataclass
class Site:
    """A server, and the sessions of two people in different projects and of an administrator."""

    server: Server
    ann: Headers
    bob: Headers
    root: Headers

    def page(self, address: str, who: Headers) -> str:
        response = httpx.get(f"{self.server.url}{address}", headers=who, timeout=60)
        assert response.status_code == 200
        return response.text

    def api(self, address: str, who: Headers, status: int = 200) -> Any:
        response = httpx.get(f"{self.server.url}/api/search{address}", headers=who, timeout=60)
        assert response.status_code == status
        return response.json()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    server = Server(tmp_path_factory.mktemp("search")).start()
    store = server.store
    ann = session(store, person(store, "ann@example.org", red="operator"))
    bob = session(store, person(store, "bob@example.org", blue="operator"))
    root = session(store, person(store, "root@example.org", admin=True))
    for project, kind in (("red", "build"), ("blue", "hidden-kind")):
        store.create_task(f"in-{project}", title=f"Run of {project}", kind=kind, project_id=project)
        lines = [f"line {number}: <needle> of {project} \x1b[1min a\x1b[0m stack" for number in range(60)]
        store.append(f"in-{project}", [NewEvent(event_type="log", payload={"message": line}) for line in lines])
    wait_until_guarded(server)
    yield Site(server, ann, bob, root)
    server.close()


def test_a_match_shows_its_run_its_text_and_leads_to_its_event(site: Site) -> None:
    page = site.page("/search?q=line+59", site.ann)
    assert "<mark>line 59</mark>: &lt;needle&gt; of red in a stack" in page
    assert "Run of red" in page
    identity = site.api("?q=line+59", site.ann)["matches"][0]["identity"]
    assert f'href="/tasks/in-red/log?around=60&amp;identity={identity}#e60"' in page


def test_no_match_count_or_facet_reveals_a_foreign_project(site: Site) -> None:
    page = site.page("/search?q=needle", site.ann)
    assert "<b>60</b> matches" in page
    assert "blue" not in page
    assert "hidden-kind" not in page
    for address in ("/search?q=of+blue", "/search?q=needle&project=blue", "/search?kind=hidden-kind"):
        page = site.page(address, site.ann)
        assert "<b>0</b> matches" in page
        assert "Run of blue" not in page
    found = site.api("?q=needle", site.ann)
    assert found["counts"] == {
        "total": 60,
        "kinds": {"build": 60},
        "projects": {"red": 60},
        "statuses": {"running": 60},
        "periods": {"1h": 60, "24h": 60, "7d": 60, "30d": 60},
        "more": False,
    }
    assert site.api("?q=needle", site.root)["counts"]["projects"] == {"blue": 60, "red": 60}


def test_pages_lead_to_each_other(site: Site) -> None:
    found = site.api("?q=needle&limit=40", site.ann)
    assert (found["newer"], [match["event"]["seq"] for match in found["matches"]]) == (None, list(range(60, 20, -1)))
    older = site.api(f"?q=needle&limit=40&before={found['older']}", site.ann)
    assert ([match["event"]["seq"] for match in older["matches"]], older["older"]) == (list(range(20, 0, -1)), None)
    newer = site.api(f"?q=needle&limit=40&after={older['newer']}", site.ann)
    assert newer["matches"] == found["matches"]
    page = site.page("/search?q=needle", site.ann)
    assert f'rel="next" href="/search?q=needle&amp;before={site.api("?q=needle", site.ann)["older"]}"' in page


def test_short_and_strange_texts_get_an_answer(site: Site) -> None:
    assert "Type at least three characters" in site.page("/search?q=ne", site.ann)
    assert site.api("?q=ne", site.ann, 400)["error"]["field"] == "q"
    for text in (
        "%00%00%00",
        '"))) OR ((',
        "a* NEAR b",
        "'; DROP TABLE",
        "\\\\\\",
        "%F0%9F%92%A9%F0%9F%92%A9%F0%9F%92%A9",
    ):
        assert "No events match" in site.page(f"/search?q={text}", site.ann)
        assert site.api(f"?q={text}", site.ann)["matches"] == []


def test_a_search_can_be_saved_and_deleted(site: Site) -> None:
    def post(path: str, **form: str) -> httpx.Response:
        return httpx.post(f"{site.server.url}{path}", data=form, headers=site.ann, timeout=60)

    saved = post("/views", name="Needles", filters="search?q=needle&level=error&before=12")
    assert (saved.status_code, saved.headers["location"]) == (303, "/search?q=needle&level=error")
    assert 'href="/search?q=needle&amp;level=error" aria-current="page">Needles</a>' in site.page(
        "/search?q=needle&level=error", site.ann
    )
    assert "Needles" not in site.page("/tasks", site.ann)
    assert "Needles" not in site.page("/search?q=needle", site.bob)
    assert post("/views", name="Bad", filters="search?sort=oldest").status_code == 400
    assert post("/views/1/delete").status_code == 303
    assert "Needles" not in site.page("/search?q=needle", site.ann)
