"""A form that is not accepted says what was not done, keeps what was typed, and can be sent again."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from signalbox.store import NewEvent
from tests.support.people import person, session, wait_until_guarded
from tests.support.rendering import main
from tests.support.server import Server

BROWSER = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}


def submit(server: Server, path: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.post(f"{server.url}{path}", data=fields, headers={**BROWSER, **(headers or {})})


def ask(server: Server, task: str) -> str:
    """Append a permission request; return the address of its form."""
    server.emit(task, NewEvent(event_type="permission_request", payload={"tool_name": "rm", "request_id": "r"}))
    return f"/tasks/{task}/permissions/r"


def shown(response: httpx.Response) -> str:
    return " ".join(main(response.text).text.split())


def test_a_form_with_a_mistake_can_be_corrected_and_sent_again(server: Server) -> None:
    path = ask(server, "mistake")
    text = "<b>no</b> " * 300
    came_from = {"Referer": f"{server.url}/tasks/mistake"}
    response = submit(server, f"{path}?identity=", {"decision": "deny", "reason": text}, came_from)
    assert response.status_code == 400
    assert "Your answer was not recorded." in shown(response)
    (form,) = main(response.text).all("form")
    assert form.attributes["action"] == f"{path}?identity="
    (typed,) = form.all("textarea")
    assert (typed.attributes["name"], typed.text.strip()) == ("reason", text.strip())
    hidden = {str(field.attributes["name"]): field.attributes["value"] for field in form.all("input")}
    assert hidden == {"decision": "deny", "back": "/tasks/mistake"}
    again = submit(server, str(form.attributes["action"]), {**hidden, "reason": "no"})  # type: ignore[dict-item]
    assert (again.status_code, again.headers["location"]) == (303, "/tasks/mistake")


def test_a_form_that_cannot_succeed_shows_its_text_to_copy(server: Server) -> None:
    server.emit("over", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    response = submit(server, "/tasks/over/cancel", {"reason": "the wrong branch"})
    assert response.status_code == 409
    assert "The run was not asked to stop." in shown(response)
    assert "the wrong branch" in shown(response)
    (form,) = main(response.text).all("form")
    assert "action" not in form.attributes
    assert "readonly" in form.all("textarea")[0].attributes
    assert not form.all("button")


def test_a_person_who_was_logged_out_keeps_the_text(start_server: Callable[..., Server]) -> None:
    server = start_server()
    path = ask(server, "away")
    ann = person(server.store, "ann@example.org", default="operator")
    wait_until_guarded(server)
    response = submit(server, path, {"decision": "approve", "reason": "looks right"})
    assert response.status_code == 401
    assert "Your answer was not recorded." in shown(response)
    assert "looks right" in shown(response)
    assert any("/login?next=" in str(link.attributes["href"]) for link in main(response.text).all("a"))
    empty = submit(server, path, {"decision": "approve", "reason": ""})
    assert (empty.status_code, "/login" in empty.headers["location"]) == (303, True)
    assert submit(server, path, {"decision": "approve"}, session(server.store, ann)).status_code == 303


def test_a_form_of_another_site_is_not_offered_again(server: Server) -> None:
    path = ask(server, "forged")
    response = submit(server, path, {"decision": "approve", "reason": "x"}, {"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 403
    assert "Your answer was not recorded." in shown(response)
    assert not main(response.text).all("form")


def test_a_read_that_fails_says_nothing_about_changes(server: Server) -> None:
    response = server.get("/tasks/nowhere", headers=BROWSER)
    assert "Nothing was changed" not in response.text
    assert not main(response.text).all("form")
