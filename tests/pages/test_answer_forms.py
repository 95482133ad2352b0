"""The forms of permission requests: their fields, what they send, and the pages of answered requests."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import httpx
import pytest

from signalbox.store import NewEvent
from signalbox.store.permissions import Permission
from signalbox.webapp.views.answer_form import answer_form, fixed_arguments, value_in
from tests.support.people import person, project, session, wait_until_guarded
from tests.support.server import Server


def ask(server: Server, task: str, request_id: str = "r1", **fields: Any) -> None:
    payload = {"request_id": request_id, "tool_name": "deploy", **fields}
    server.emit(task, NewEvent(event_type="permission_request", payload=payload))


def send(server: Server, task: str, form: dict[str, str], request_id: str = "r1", **headers: str) -> httpx.Response:
    form = {"decision": "approve", "form": "1", **form}
    return httpx.post(f"{server.url}/tasks/{task}/permissions/{request_id}", data=form, headers=headers)


def events(server: Server, task: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.get(f"/api/tasks/{task}/events").json()["events"]
    return found


def request(**fields: Any) -> Permission:
    return Permission(
        request_id="r", tool_name="t", phase=None, span_id="s", seq=1, created_at="", changed_seq=1, **fields
    )


SCHEMA = {
    "$defs": {"Place": {"title": "Place", "enum": ["Rome", "Oslo"]}},
    "properties": {
        "text": {"type": "string"},
        "long": {"type": "string", "maxLength": 5000},
        "whole": {"type": "integer"},
        "number": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "yes": {"type": "boolean"},
        "place": {"$ref": "#/$defs/Place"},
        "many": {"enum": list(range(20))},
        "lines": {"type": "array", "items": {"type": "string"}},
        "group": {"type": "object", "properties": {"a/b~": {"type": "string"}, "deep": {"properties": {"x": {}}}}},
        "other": {"type": "array"},
        "any": {},
    },
    "required": ["text"],
}


def test_each_part_of_a_schema_has_a_field_of_its_kind() -> None:
    fields = {one.path[-1]: one for one in answer_form(request(response_schema=SCHEMA)).fields}
    kinds = {name: one.kind for name, one in fields.items()}
    assert kinds == {
        "text": "text",
        "long": "long",
        "whole": "integer",
        "number": "number",
        "yes": "boolean",
        "place": "choice",
        "many": "choice",
        "lines": "lines",
        "group": "group",
        "other": "json",
        "any": "json",
    }
    assert (fields["place"].label, fields["number"].nullable, fields["text"].required) == ("Place", True, True)
    assert [(one.name, one.kind) for one in fields["group"].fields] == [
        ("value/group/a~1b~0", "text"),
        ("value/group/deep", "json"),
    ]


def test_the_sent_fields_become_a_value_of_the_right_types() -> None:
    form = answer_form(request(response_schema=SCHEMA))
    sent = {
        "form": "1",
        "value/text": "",
        "value/whole": " 7 ",
        "value/yes": "1",
        "value/many": "7",
        "value/lines": "a\r\n\r\nb",
        "value/group/a~1b~0": "x",
        "value/any": '{"a": [1.5]}',
        "value/number": "",
    }
    assert value_in(form, sent) == {
        "text": "",
        "whole": 7,
        "number": None,
        "yes": True,
        "many": 7,
        "lines": ["a", "b"],
        "group": {"a/b~": "x"},
        "any": {"a": [1.5]},
    }


@pytest.mark.parametrize(
    "argument",
    ["line\r\nline", "\x1b[31mred\x1b[0m", " spaces ", "", "ü" * 200, ["a", "b"], [], ["a\nb"], {"x": None}, 1.0, None],
)
def test_an_argument_that_nobody_changes_stays_exactly_as_it_was(argument: Any) -> None:
    form = answer_form(request(arguments={"a": argument}, editable=True))
    (field,) = form.fields
    shown = {one.name: form.text(one).replace("\r\n", "\n").replace("\n", "\r\n") for one in (field, *field.fields)}
    assert value_in(form, {"form": "1", **shown}) == {"a": argument}


@pytest.mark.parametrize("name", ["a\nb", "a\r\nb", "n\0l", "\x1b[31m", "\u202eabc", "a b", "a/~b", "ü"])
def test_an_argument_of_any_name_stays_as_it_was_and_can_be_changed(server: Server, name: str) -> None:
    for task, typed in (("name-kept", "as asked"), ("name-changed", "changed")):
        request_id = f"{task}-{name.encode().hex()}"
        ask(server, task, request_id, arguments={name: "as asked"}, editable=True)
        page = server.get(f"/tasks/{task}/permissions/{request_id}").text
        # A browser changes the line breaks and NUL of a page and of a form.
        page = re.sub("\r\n?", "\n", page).replace("\0", "\ufffd")
        (field,) = (html.unescape(found) for found in re.findall(r' name="(value/[^"]*)"', page))
        assert send(server, task, {field.replace("\n", "\r\n"): typed}, request_id).status_code == 303
        assert events(server, task)[-1]["payload"]["value"] == {name: typed}


def test_a_text_that_was_not_sent_stays_as_it_was() -> None:
    form = answer_form(request(arguments={"a": "one", "b": "two"}, editable=True))
    assert value_in(form, {"form": "1", "value/b": "three"}) == {"a": "one", "b": "three"}


@pytest.mark.parametrize(("default", "text"), [(None, ""), (True, "true"), (False, "false")])
def test_yes_no_or_nothing_is_a_choice(default: bool | None, text: str) -> None:
    schema = {"properties": {"force": {"type": ["boolean", "null"]}}}
    form = answer_form(request(arguments={"force": default}, editable=True, response_schema=schema))
    (field,) = form.fields
    assert (form.text(field), [one.label for one in field.options]) == (text, ["yes", "no"])
    for sent, value in ((text, default), ("", None), ("true", True), ("false", False)):
        assert value_in(form, {"form": "1", field.name: sent}) == {"force": value}


def test_all_arguments_are_shown_and_can_be_changed_however_many_they_are(server: Server) -> None:
    arguments = {f"argument-{number}": f"value-{number}" for number in range(60)}
    ask(server, "many-arguments", arguments=arguments, editable=True)
    page = server.get("/tasks/many-arguments/permissions/r1").text
    assert [text for text in (*arguments, *arguments.values()) if text not in page] == []
    changed = '{"argument-59": "other"}'
    assert send(server, "many-arguments", {"value": changed}).status_code == 303
    assert events(server, "many-arguments")[-1]["payload"]["value"] == {**arguments, "argument-59": "other"}
    ask(server, "some-editable", arguments=arguments, editable=["argument-0", "argument-0"])
    page = server.get("/tasks/some-editable/permissions/r1").text
    assert page.count('name="value/argument-0"') == 1
    assert "value-1" in page


def test_a_small_schema_makes_no_long_form() -> None:
    choice = {"enum": [f"{number} {'x' * 200}" for number in range(100)], "description": "d" * 1000}
    group = {"type": "object", "properties": {f"f{number}": {"$ref": "#/$defs/choice"} for number in range(40)}}
    schema = {"$defs": {"choice": choice, "group": group}, "title": "Answer all"}
    schema |= {"properties": {f"g{number}": {"$ref": "#/$defs/group"} for number in range(40)}}
    (field,) = answer_form(request(response_schema=schema)).fields
    assert (field.kind, field.label, field.path) == ("json", "Answer all", ())


def test_nested_arguments_make_no_long_form() -> None:
    nested: Any = [1] * 100_000
    for _ in range(90):
        nested = [nested]
    form = answer_form(request(arguments={"a": nested}, editable=True))
    assert form.chars < 300_000
    assert value_in(form, {"form": "1", form.fields[0].name: form.text(form.fields[0])}) == {"a": nested}


def test_many_arguments_are_compared_in_linear_time() -> None:
    compared = 0

    class Name(str):
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str(self) == other

    arguments = {Name(f"argument {number}"): number for number in range(1000)}
    asked = request(arguments=arguments, editable=True)
    assert fixed_arguments(asked) is None
    assert answer_form(asked).expected.accepted(dict(arguments)) == arguments
    assert compared < 10_000


def test_an_answer_shows_few_of_many_changes(server: Server) -> None:
    arguments = {f"argument-{number}": "x" * 100 for number in range(300)}
    ask(server, "many-changes", arguments=arguments, editable=True)
    changed = dict.fromkeys(arguments, "y" * 100)
    assert send(server, "many-changes", {"value": json.dumps(changed)}).status_code == 303
    page = server.get("/tasks/many-changes/permissions/r1").text
    shown = page.count("y" * 100)
    assert 10 < shown < 100
    assert f"{300 - shown} more changed arguments" in page


def test_an_answer_without_the_fields_of_the_form_approves_the_arguments_as_they_are(server: Server) -> None:
    ask(server, "as-is", arguments={"branch": "x", "force": True}, editable=True)
    response = httpx.post(f"{server.url}/tasks/as-is/permissions/r1", data={"decision": "approve"})
    assert response.status_code == 303
    assert events(server, "as-is")[1]["payload"]["value"] == {"branch": "x", "force": True}
    page = server.get("/tasks/as-is/permissions/r1").text
    assert "Arguments unchanged" in page


def test_every_choice_can_be_taken_whatever_its_text(server: Server) -> None:
    texts = ["a\r\nb", "a\rb", "", " ", "a\0b", "plain"]
    for number, text in enumerate(texts):
        ask(server, f"odd-{number}", choices=[{"value": one, "label": f"choice {at}"} for at, one in enumerate(texts)])
        # A browser changes the line breaks and NUL of a page and of a form.
        page = re.sub("\r\n?", "\n", server.get(f"/tasks/odd-{number}/permissions/r1").text).replace("\0", "\ufffd")
        values = [html.unescape(value) for value in re.findall(r'name="value" value="([^"]*)"', page)]
        sent = values[number].replace("\n", "\r\n")
        assert send(server, f"odd-{number}", {"value": sent}).status_code == 303
        assert events(server, f"odd-{number}")[1]["payload"]["value"] == text


def test_a_wrong_choice_records_nothing_and_the_request_stays_open(server: Server) -> None:
    ask(server, "choice", choices=["staging", {"value": 7, "label": "Seven <b>"}])
    for form in ({}, {"value": "production"}):
        response = send(server, "choice", form)
        assert response.status_code == 400
        assert "Not recorded" in response.text
        assert 'type="radio" name="value" value="staging"' in response.text
    assert server.latest("choice") == 1
    assert send(server, "choice", {"value": "7", "reason": "why not"}).status_code == 303
    assert events(server, "choice")[1]["payload"]["value"] == 7
    page = server.get("/tasks/choice/permissions/r1").text
    assert 'Answer: <b dir="auto">Seven &lt;b&gt;</b>' in page
    assert "why not" in page


def test_a_denial_needs_no_value(server: Server) -> None:
    ask(server, "denied", response_schema={"type": "integer"})
    assert send(server, "denied", {"decision": "deny", "value": "nonsense"}).status_code == 303
    assert "value" not in events(server, "denied")[1]["payload"]


def test_a_request_whose_schema_cannot_be_used_says_so_and_can_be_denied(server: Server) -> None:
    ask(server, "unusable", response_schema={"$ref": "https://example.org/x"})
    page = html.unescape(server.get("/tasks/unusable").text)
    assert "This request cannot be approved: the response_schema cannot be used: $ref must begin with #" in page
    assert send(server, "unusable", {}).status_code == 400
    refused = server.post("/api/tasks/unusable/permissions/r1", {"approved": True, "value": 1})
    assert (refused.status_code, refused.json()["error"]["field"]) == (400, "value")
    assert server.post("/api/tasks/unusable/permissions/r1", {"approved": False}).status_code == 201


def test_the_api_and_the_session_dialect_name_the_wrong_part(server: Server) -> None:
    schema = {"properties": {"tags": {"type": "array", "items": {"type": "string"}}}}
    ask(server, "named", response_schema=schema)
    body = {"approved": True, "value": {"tags": ["a", 1]}}
    for path in ("/api/tasks/named/permissions/r1", "/api/sse/permission-response/named"):
        error = server.post(path, body).json()["error"]
        assert (error["field"], error["message"]) == ("value.tags[1]", "value.tags[1] must be a text")
    body["value"] = {"tags": ["a"]}
    answered = server.post("/api/sse/permission-response/named", body)
    assert answered.json()["value"] == {"tags": ["a"]}
    assert server.post("/api/tasks/named/permissions/r1", {"approved": True}).status_code == 409


def test_the_same_request_sent_twice_acts_once(server: Server) -> None:
    ask(server, "twice")
    key = {"Idempotency-Key": "0123456789abcdef"}
    codes = [send(server, "twice", {}, **key).status_code for _ in range(2)]
    assert (codes, server.latest("twice")) == ([303, 303], 2)
    for _ in range(2):
        sent = httpx.post(f"{server.url}/api/tasks/twice/messages", json={"text": "hello"}, headers=key)
        assert (sent.status_code, sent.json()["seq"]) == (201, 3)
    bad = httpx.post(f"{server.url}/api/tasks/twice/cancel", json={}, headers={"Idempotency-Key": "short"})
    assert (bad.status_code, bad.json()["error"]["field"]) == (400, "Idempotency-Key")
    assert len(server.get("/api/tasks/twice/messages").json()) == 1


def test_the_same_form_sent_twice_without_javascript_acts_once(server: Server) -> None:
    server.emit("again", NewEvent(event_type="runner_spawn"))
    page = server.get("/tasks/again").text
    marks = {path: re.search(rf'/{path}\?.*?name="form" value="(\d+)"', page, re.S) for path in ("cancel", "messages")}
    for path, mark in marks.items():
        assert mark
        for _ in range(2):
            form = {"form": mark[1], "text": "hello", "reason": ""}
            assert httpx.post(f"{server.url}/tasks/again/{path}", data=form).status_code == 303
    appended = [one["event_type"] for one in events(server, "again")[1:]]
    assert appended == ["cancel_requested", "message_sent"]


def test_a_script_gets_the_next_address_instead_of_a_redirect(server: Server) -> None:
    ask(server, "script")
    response = send(server, "script", {}, **{"HX-Request": "true", "Referer": f"{server.url}/permissions"})
    assert (response.status_code, response.headers["HX-Location"], response.content) == (204, "/permissions", b"")


def test_messages_are_bounded_and_only_for_a_run_that_has_not_ended(server: Server) -> None:
    server.emit("bounded", NewEvent(event_type="runner_spawn"))

    def post(body: Any) -> tuple[int, str | None]:
        response = server.post("/api/tasks/bounded/messages", body)
        return response.status_code, response.json().get("error", {}).get("field")

    assert [post(body) for body in ({"text": " "}, {"text": "x" * 20_001}, {"data": 1}, {"text": "x", "y": 1})] == [
        (400, "text"),
        (400, "text"),
        (400, "text"),
        (400, "y"),
    ]
    assert post({"text": "hello", "data": {"urgent": [True]}}) == (201, None)
    server.emit("bounded", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    assert post({"text": "late"})[0] == 409
    (message,) = server.get("/api/tasks/bounded/messages").json()
    assert (message["state"], message["data"], message["by"]) == ("ignored", {"urgent": [True]}, "local user")
    assert server.get("/api/tasks/bounded/messages?state=sent").json() == []
    page = server.get("/tasks/bounded").text
    assert "ignored: the run ended first" in page
    assert 'id="message-text"' not in page
    assert "<b>sent</b>" in server.get("/tasks/bounded?at=2").text


def test_the_answered_tab_shows_only_what_the_reader_may_see(start_server: Any) -> None:
    server = start_server()
    for name in ("ours", "theirs"):
        project(server.store, name)
        server.store.create_task(f"{name}-run", project_id=name)
        ask(server, f"{name}-run", arguments={"where": name})
        ask(server, f"{name}-run", "open")
        answer = {"approved": True, "reason": f"by {name}"}
        assert server.post(f"/api/tasks/{name}-run/permissions/r1", answer).status_code == 201
    viewer = session(server.store, person(server.store, "viewer@example.org", ours="viewer"))
    wait_until_guarded(server)
    for path in ("/permissions?show=answered", "/permissions?show=answered&task=ours-run"):
        page = httpx.get(server.url + path, headers=viewer).text
        assert "by ours" in page
        assert "by theirs" not in page
        assert page.count('class="permission permission--closed"') == 1
    assert "by theirs" not in httpx.get(f"{server.url}/permissions?show=answered&task=theirs-run", headers=viewer).text
    assert httpx.get(f"{server.url}/permissions?show=nonsense", headers=viewer).status_code == 400
