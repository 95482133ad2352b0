"""The server behaves as the OpenAPI document declares: requests it allows are accepted, others are refused.

Responses match their declared schemas. `make schemathesis` checks the same with more examples.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from signalbox.store import NewEvent
from tests.support.example_run import fill
from tests.support.examples import examples
from tests.support.json_schema import ANYTHING
from tests.support.openapi import DOCUMENT, OPERATIONS, SCHEMAS, address, check
from tests.support.plain_client import PlainClient
from tests.support.server import Server

HOSTILE = (
    *("", " ", "x", "-1", "+1", "1.5", "1e3", "0x10", "²", "٣", "null", "true", "[]", "{}", "nan", "inf", "-inf"),
    *("9" * 20, "9" * 400, "a" * 20_000, "\0", "a\0b", "a\r\nb", "\x7f", "\u2028", "\ufeff", "'; --", "%", "\\", "~"),
    *("0000-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "2026-02-30", "2026-11-21T14:02:60Z", "1~run", "T~run"),
)
"""Texts that are invalid for most parameters."""

RAW = ("%FF", "%ED%A0%80", "%C0%80", "%F5%80%80%80", "%", "%zz", "%u0041")
"""Percent-encoded bytes that are not UTF-8, and invalid percent-encodings."""

JSON = {"Content-Type": "application/json"}

ACCEPTED = {401, 403, 404, 409, 410}
"""Status codes other than success that a request allowed by the document may get."""

pytestmark = pytest.mark.examples

few_examples = settings(
    max_examples=examples(5),
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def server_with_run(shared_server: Server) -> Server:
    fill(shared_server.store)
    return shared_server


@pytest.fixture(scope="module")
def client(server_with_run: Server) -> Iterator[PlainClient]:
    # Export routes answer errors with HTML unless the client accepts JSON.
    with PlainClient(server_with_run.url, {"Accept": "application/json, */*;q=0.1"}) as client:
        yield client


BODIES = [
    name for name, one in OPERATIONS.items() if "application/json" in one.get("requestBody", {}).get("content", {})
]


@pytest.mark.parametrize("name", [name for name, one in OPERATIONS.items() if one["parameters"]])
def test_hostile_parameters_get_declared_responses(client: PlainClient, name: str) -> None:
    for parameter in OPERATIONS[name]["parameters"]:
        place, schema = parameter["in"], parameter["schema"]
        for text in HOSTILE:
            if place == "query":
                url, headers = f"{address(name)}?{parameter['name']}={quote(text)}", {}
            elif place == "header":
                if not re.fullmatch(r"[!-~]*", text):
                    continue
                url, headers = address(name), {parameter["name"]: text}
            else:
                if text in ("", " ", "\\"):
                    continue
                url, headers = address(name, {parameter["name"]: quote(text, safe="")}), {}
            response = check(client, name, url, headers=headers)
            if place == "path":
                assert response.status_code in (200, 400, 404, 409), f"{url[:100]}: {response.status_code}"
            elif response.status_code == 400 and "requestBody" not in OPERATIONS[name]:
                error = response.json()["error"]
                assert error["field"] == parameter["name"]
                assert parameter["name"] in error["message"]
                assert len(error["message"]) < 400
            elif response.status_code != 400 and "enum" in schema:
                assert text in map(str, schema["enum"]), f"{parameter['name']} may be {text!r}"


@pytest.mark.parametrize("name", [name for name, one in OPERATIONS.items() if one["parameters"]])
def test_undecodable_and_repeated_parameters_get_declared_responses(client: PlainClient, name: str) -> None:
    for parameter in OPERATIONS[name]["parameters"]:
        if parameter["in"] != "query":
            continue
        for raw in RAW:
            check(client, name, f"{address(name)}?{parameter['name']}={raw}")
        others = [one["name"] for one in OPERATIONS[name]["parameters"] if one.get("required") and one["in"] == "query"]
        rest = "".join(f"&{other}=1" for other in others if other != parameter["name"])
        twice = check(client, name, f"{address(name)}?{parameter['name']}=1&{parameter['name']}=1{rest}")
        if parameter["schema"].get("type") != "array":
            assert twice.status_code == 400
            assert twice.json()["error"]["field"] == parameter["name"]


@pytest.mark.parametrize("name", [name for name in OPERATIONS if not name.startswith("DELETE")])
def test_parameters_that_the_document_allows_are_accepted(client: PlainClient, name: str) -> None:
    parameters = {one["name"]: one for one in OPERATIONS[name]["parameters"] if one["in"] == "query"}
    allowed = {one: SCHEMAS.values(parameter["schema"]) for one, parameter in parameters.items()}

    required = {one: allowed.pop(one) for one, parameter in parameters.items() if parameter.get("required")}

    @few_examples
    @given(st.fixed_dictionaries(required, optional=allowed))
    def check_query(values: dict[str, Any]) -> None:
        if name in BODIES:
            return
        response = check(client, name, address(name), params=values)
        assert response.status_code < 300 or response.status_code in ACCEPTED, f"{values}: {response.text}"

    if allowed:
        check_query()


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_the_document_allows_is_accepted(client: PlainClient, name: str) -> None:
    schema = OPERATIONS[name]["requestBody"]["content"]["application/json"]["schema"]

    @few_examples
    @given(SCHEMAS.values(schema))
    def check_body(body: Any) -> None:
        if _own_parent(body) or _depends_on_the_request(body):
            return
        response = check(client, name, address(name), content=json.dumps(body), headers=JSON)
        assert response.status_code < 300 or response.status_code in ACCEPTED, f"{body}: {response.text}"

    check_body()


def _depends_on_the_request(body: Any) -> bool:
    """Return whether the body has a field that only some permission requests, or only approvals, accept."""
    return isinstance(body, dict) and "approved" in body and ("value" in body or "always" in body)


def _own_parent(body: Any) -> bool:
    """Return whether an event names its span as its own parent, which no schema can forbid."""
    events = body if isinstance(body, list) else [body]
    return any("event_type" in event and event.get("span_id", 0) == event.get("parent_span_id", 1) for event in events)


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_the_document_forbids_is_refused(client: PlainClient, name: str) -> None:
    schema = OPERATIONS[name]["requestBody"]["content"]["application/json"]["schema"]

    @few_examples
    @given(ANYTHING)
    def check_any_body(body: Any) -> None:
        if SCHEMAS.problem(body, schema) is not None:
            assert 400 <= check(client, name, address(name), content=json.dumps(body)).status_code < 500, body

    @few_examples
    @given(SCHEMAS.values(schema), st.data())
    def check_changed_body(body: Any, data: st.DataObject) -> None:
        if isinstance(body, dict):
            field = data.draw(st.sampled_from([*body, "unknown"]))
            body = body | {field: data.draw(ANYTHING)}
            if SCHEMAS.problem(body, schema) is not None:
                assert 400 <= check(client, name, address(name), content=json.dumps(body)).status_code < 500, body

    check_any_body()
    check_changed_body()


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"{",
        b"\xff",
        b'"\\ud800"',
        b'{"": "\xed\xa0\x80"}',
        b"[" * 5000,
        b"1e999",
        b"NaN",
        b"\xef\xbb\xbf{}",
    ],
)
def test_a_body_that_is_not_json_is_refused(client: PlainClient, name: str, content: bytes) -> None:
    response = check(client, name, address(name), content=content, headers={"Content-Type": "application/json"})
    optional = not OPERATIONS[name]["requestBody"]["required"]
    assert 400 <= response.status_code < 500 or (optional and not content)


@pytest.mark.parametrize("name", BODIES)
def test_a_body_of_another_media_type_is_refused(client: PlainClient, name: str) -> None:
    for media_type in ("text/xml", "multipart/form-data; boundary=x", "image/png", "application/xml", "x"):
        response = check(client, name, address(name), content=b"{}", headers={"Content-Type": media_type})
        assert response.status_code == 415
        error = response.json()
        assert "application/json" in error.get("error", error)["message"]


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_other_methods_are_refused_with_the_list_of_allowed_methods(client: PlainClient, path: str) -> None:
    url = address(f"GET {path}")
    methods = {method.upper() for method in DOCUMENT["paths"][path]}
    allowed = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    for method in {"PUT", "PATCH", "DELETE", "POST", "TRACE"} - methods:
        response = client.request(method, url)
        assert response.status_code == 405
        assert set(response.headers["allow"].split(", ")) == allowed
    options = client.request("OPTIONS", url)
    assert (options.status_code, set(options.headers["allow"].split(", "))) == (200, allowed)
    if "GET" in methods:
        assert client.request("HEAD", url).status_code == 200
        assert client.request("HEAD", url).content == b""
    for other in (f"{url}/", f"/{url}", url.replace("/run", "/%2Frun", 1), f"{url}%2F"):
        assert client.request("GET", other).status_code in (200, 308, 400, 404, 405)


def test_api_routes_read_only_declared_parameters() -> None:
    webapp = Path(__file__).parents[2] / "webapp"
    for module in (*(webapp / "api").rglob("*.py"), webapp / "pages" / "export.py"):
        reads = r"request\.(args|values|headers|form|data|json)|\b(given|whole|flag|instant)\("
        undeclared = re.search(reads, module.read_text())
        assert not undeclared, f"{module.name} has {undeclared and undeclared[0]!r}: declare it with @endpoint"


def test_a_shortened_response_links_to_the_rest(server_with_run: Server) -> None:
    server_with_run.emit("many", *[f"{n}" for n in range(5)])
    snapshot = server_with_run.get("/api/tasks/many/events/snapshot?limit=2").json()
    assert (snapshot["has_more"], snapshot["next_before"]) == (True, 4)
    full = server_with_run.get("/api/tasks/many/events/snapshot").json()
    assert (full["has_more"], full["next_before"], full["open_spans_total"]) == (False, None, 1)
    seqs, url = [], "/api/tasks/many/events/latest?limit=2"
    while url:
        page = server_with_run.get(url)
        seqs.append([event["seq"] for event in page.json()])
        url = page.links.get("next", {}).get("url", "")
    assert seqs == [[5, 4], [3, 2], [1]]
    server_with_run.store.append("many", [NewEvent(event_type="log", phase="a/b ż") for _ in range(3)])
    page = server_with_run.get(f"/api/tasks/many/events/phase/{quote('a/b ż', safe='')}?limit=2")
    rest = server_with_run.get(page.links["next"]["url"])
    assert [event["seq"] for event in page.json() + rest.json()] == [6, 7, 8]
    assert "next" not in rest.links
