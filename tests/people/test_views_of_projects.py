"""Test that a saved view belongs to one project, or to all when an administrator saves it."""

from __future__ import annotations

import httpx

from tests.support.people import person, session, wait_until_guarded
from tests.support.server import Server


def test_a_view_can_be_seen_and_deleted_only_in_its_project(server: Server) -> None:
    ann = session(server.store, person(server.store, "ann@example.org", red="operator"))
    bob = session(server.store, person(server.store, "bob@example.org", blue="operator"))
    root = session(server.store, person(server.store, "root@example.org", admin=True))
    wait_until_guarded(server)

    def post(headers: dict[str, str], path: str, **form: str) -> int:
        return httpx.post(f"{server.url}{path}", data=form, headers=headers, timeout=60).status_code

    def lists_view(headers: dict[str, str], name: str) -> bool:
        return f">{name}</a>" in server.get("/tasks", headers=headers).text

    assert post(ann, "/views", name="Nightly", filters="kind=build") == 303
    assert post(bob, "/views", name="Nightly", filters="kind=test") == 303
    assert post(root, "/views", name="Everyone", filters="status=failed") == 303
    assert post(bob, "/views", name="Theirs", filters="project=red") == 400
    assert [lists_view(headers, "Nightly") for headers in (ann, bob, root)] == [True] * 3
    assert [lists_view(headers, "Everyone") for headers in (ann, bob, root)] == [True] * 3
    assert "kind=test" not in server.get("/tasks", headers=ann).text
    assert [post(bob, f"/views/{number}/delete") for number in (1, 3)] == [404, 403]
    assert post(ann, "/views/1/delete") == 303
    assert post(root, "/views/3/delete") == 303
    assert not lists_view(ann, "Nightly")
    assert lists_view(bob, "Nightly")
