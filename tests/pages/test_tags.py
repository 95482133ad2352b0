"""Tags, links and metadata: on the pages, in the API, by `signalbox run`, and changed by a person."""

from __future__ import annotations

import httpx
import pytest

from signalbox.store import NewEvent
from tests.support.command import signalbox
from tests.support.server import Server
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def tagged(shared_server: Server) -> Server:
    body = {
        "task_id": "tagged",
        "kind": "tagged",
        "tags": {"branch": "main", "größe": "1 & 2", "n": 3},
        "links": {"pull request": "https://example.org/pr/7?a=1&b=2"},
        "metadata": {"commit": "3fa9c1e", "matrix": {"os": ["linux"]}},
    }
    created = shared_server.post("/api/tasks", json=body)
    assert created.status_code == 201, created.text
    assert created.json()["tags"] == {"branch": "main", "größe": "1 & 2", "n": "3"}
    shared_server.post("/api/tasks", json={"task_id": "untagged", "kind": "tagged"})
    shared_server.emit("tagged", NewEvent(event_type="runner_spawn"))
    return shared_server


def test_a_task_shows_its_tags_links_and_metadata_in_its_header(tagged: Server) -> None:
    page = tagged.get("/tasks/tagged").text
    assert 'href="/tasks?tag=branch%3Dmain"' in page
    assert 'href="https://example.org/pr/7?a=1&amp;b=2" rel="external noreferrer noopener nofollow"' in page
    assert "<span>commit</span> 3fa9c1e" in page
    assert "{&#34;os&#34;:[&#34;linux&#34;]}" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("tag=branch%3Dmain", ["tagged"]),
        ("tag=branch%3Dmain&tag=n%3D3", ["tagged"]),
        ("tag=branch%3Dmain&tag=n%3D4", []),
        ("tag=gr%C3%B6%C3%9Fe%3D1+%26+2&sort=active", ["tagged"]),
        ("", ["untagged", "tagged"]),
    ],
)
def test_the_list_and_the_api_filter_by_tags(tagged: Server, query: str, found: list[str]) -> None:
    tasks = tagged.get(f"/api/tasks?kind=tagged&{query}").json()["tasks"]
    assert [task["task_id"] for task in tasks] == found
    page = tagged.get(f"/tasks?kind=tagged&{query}").text
    assert [task_id for task_id in ("untagged", "tagged") if f'id="task_{task_id}"' in page] == found


def test_a_tag_filter_that_is_no_tag_says_so(tagged: Server) -> None:
    refused = tagged.get("/api/tasks?tag=branch")
    assert (refused.status_code, refused.json()["error"]["field"]) == (400, "tag")
    assert "NAME=VALUE" in refused.json()["error"]["message"]
    many = "&".join(f"tag=a{number}%3Db" for number in range(11))
    assert "at most 10 times" in tagged.get(f"/api/tasks?{many}").json()["error"]["message"]


def test_a_saved_view_has_its_tags(tagged: Server) -> None:
    saved = tagged.post("/views", data={"name": "Main", "filters": "tag=branch%3Dmain&tag=n%3D3"})
    assert saved.status_code == 303
    assert 'href="/tasks?tag=branch%3Dmain&amp;tag=n%3D3"' in tagged.get("/tasks").text


def test_a_person_adds_and_removes_a_tag_and_both_are_audited(tagged: Server) -> None:
    for form in ({"tag": "triaged = yes"}, {"remove": "n"}):
        assert tagged.post("/tasks/tagged/tags", data=form).status_code == 303
    task = tagged.get("/api/tasks/tagged").json()
    assert (task["tags"].get("triaged"), task["tags"].get("n")) == ("yes", None)
    audits = tagged.get("/tasks/tagged/audits").text
    assert audits.count("changed the tags of") == 2
    assert "<b>tags changed</b> by local user" in tagged.get("/tasks/tagged").text
    refused = tagged.post("/tasks/tagged/tags", data={"tag": "nothing"}, headers={"Accept": "text/html"})
    assert refused.status_code == 400
    assert "NAME=VALUE" in refused.text


def test_a_program_may_not_give_a_task_too_many_tags(tagged: Server) -> None:
    tags = {f"t{number}": "1" for number in range(49)}
    refused = tagged.post("/api/tasks/tagged/tags", json={"tags": tags})
    assert (refused.status_code, "at most 50 tags" in refused.text) == (409, True)
    added = tagged.post("/api/tasks/tagged/tags", json={"tags": {"a": 1}, "links": {"docs": "https://example.org"}})
    assert (added.status_code, added.json()["links"]["docs"]) == (201, "https://example.org")
    for body in ({"tags": {"a=b": "1"}}, {"links": {"a": "nowhere"}}):
        assert tagged.post("/api/tasks/tagged/tags", json=body).status_code == 400


def test_signalbox_run_gives_tags_and_links(tagged: Server) -> None:
    options = ("--server", tagged.url, "--task", "by-run", "--tag", "branch=main", "--link", "docs=https://example.org")
    signalbox("run", *options, "--", "true")
    task = httpx.get(f"{tagged.url}/api/tasks/by-run").json()
    assert (task["tags"], task["links"]) == ({"branch": "main"}, {"docs": "https://example.org"})
    # The task exists already, so the run adds the tag with an event.
    signalbox("run", "--server", tagged.url, "--task", "by-run", "--tag", "attempt=2", "--", "true")
    wait_until(lambda: "attempt" in httpx.get(f"{tagged.url}/api/tasks/by-run").json()["tags"])
