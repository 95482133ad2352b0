"""Which value an approval of a request may have, and the message for a wrong one."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import pytest
from msgspec import UNSET

from signalbox.store.answers import InvalidAnswer, UnusableSchema, check_schema, expectation_of, problems_of
from signalbox.store.permissions import Permission
from signalbox.store.projections.permissions import choices_in

TRIP = {
    "type": "object",
    "required": ["city", "seats"],
    "additionalProperties": False,
    "properties": {
        "city": {"type": "string", "minLength": 2},
        "seats": {"type": "integer", "minimum": 1, "maximum": 9},
        "stops": {"type": "array", "items": {"type": "string", "pattern": "^[A-Z]{3}$"}},
    },
}
DEEP: dict[str, Any] = {}
for _ in range(21):
    DEEP = {"not": DEEP}

PUSH = {"branch": "fix", "force": False, "retries": 3, "labels": ["a"], "note": None}


def asked(**fields: Any) -> Permission:
    if "choices" in fields:
        fields["choices"] = choices_in(fields["choices"])
    return Permission(
        request_id="r", tool_name="t", phase=None, span_id="s", seq=1, created_at="", changed_seq=1, **fields
    )


def refusal_of(permission: Permission, value: Any = UNSET) -> tuple[str | None, str]:
    """Return the field and the message that a wrong value gets."""
    with pytest.raises(InvalidAnswer) as caught:
        expectation_of(permission).accepted(value)
    return caught.value.field, str(caught.value)


def test_a_plain_request_takes_no_value() -> None:
    assert expectation_of(asked()).accepted() is UNSET
    assert refusal_of(asked(), 1)[1] == "value must be left out: this request asks for none"


def test_a_choice_must_be_one_of_those_offered_and_true_is_not_one() -> None:
    request = asked(choices=["staging", {"value": 1, "label": "One"}, {"label": "nothing"}, [], {"value": True}])
    accepted = expectation_of(request).accepted
    assert [accepted(value) for value in ("staging", 1, True)] == ["staging", 1, True]
    assert accepted(True) is True
    for wrong in ("production", 2, "1", None, ["staging"]):
        assert refusal_of(request, wrong) == ("value", 'value must be one of "staging", 1, true')
    assert "is required" in refusal_of(request)[1]


def test_a_request_without_usable_choices_can_only_be_denied() -> None:
    expected = expectation_of(asked(choices=[{}]))
    assert expected.fault == "the request offers no choices"
    assert "the request offers no choices" in refusal_of(asked(choices=[]), "x")[1]


@pytest.mark.parametrize(
    ("value", "field", "message"),
    [
        ({"seats": 2}, "value.city", "value.city is required"),
        ({"city": "x", "seats": 2}, "value.city", "value.city must have at least 2 characters"),
        ({"city": "Rome", "seats": "2"}, "value.seats", "value.seats must be a whole number"),
        ({"city": "Rome", "seats": 12}, "value.seats", "value.seats must be at most 9"),
        ({"city": "Rome", "seats": 2, "x": 1}, "value.x", "value.x is not a part of this value"),
        (
            {"city": "Rome", "seats": 2, "stops": ["FCO", "fco"]},
            "value.stops[1]",
            'value.stops[1] must match the pattern "^[A-Z]{3}$"',
        ),
        ([], "value", "value must be an object"),
    ],
)
def test_a_value_that_the_schema_does_not_accept_names_its_part(value: Any, field: str, message: str) -> None:
    assert refusal_of(asked(response_schema=TRIP), value) == (field, message)


def test_a_value_that_the_schema_accepts_is_kept_as_it_is() -> None:
    value = {"city": "Rome", "seats": 2, "stops": ["FCO"]}
    assert expectation_of(asked(response_schema=TRIP)).accepted(value) is value


def test_only_editable_arguments_change_and_each_keeps_its_type() -> None:
    request = asked(arguments=PUSH, editable=["branch", "retries", "note", "unknown"])
    accepted = expectation_of(request).accepted
    assert accepted() == PUSH
    assert accepted({"branch": "main", "note": [1]}) == {**PUSH, "branch": "main", "note": [1]}
    assert accepted({**PUSH, "retries": 5}) == {**PUSH, "retries": 5}
    assert refusal_of(request, {"force": True}) == ("value.force", "value.force must stay as it is")
    assert refusal_of(request, {"retries": "5"}) == ("value.retries", "value.retries must be a whole number")
    assert refusal_of(request, {"unknown": 1})[1] == "value.unknown is not an argument of this request"
    assert refusal_of(request, ["main"])[1] == "value must be an object with the changed arguments"


def test_a_number_that_javascript_writes_in_another_form_is_the_same() -> None:
    request = asked(arguments={"amount": 5.0, "rate": 2.0, "to": "x"}, editable=["rate", "to"])
    arguments = expectation_of(request).accepted({"amount": 5, "rate": 2, "to": "y"})
    assert repr(arguments) == "{'amount': 5.0, 'rate': 2.0, 'to': 'y'}"
    assert repr(expectation_of(asked(choices=[{"value": 1.0}, {"value": 0.5}])).accepted(1)) == "1.0"
    assert refusal_of(request, {"amount": True})[1] == "value.amount must stay as it is"


def test_a_part_that_another_keyword_of_the_schema_allows_is_not_called_unknown() -> None:
    schema = {"allOf": [{"properties": {"a": True}}], "properties": {"b": True}, "unevaluatedProperties": False}
    assert expectation_of(asked(response_schema=schema)).accepted({"a": 1, "b": 2}) == {"a": 1, "b": 2}
    wrong = {"a": 1, "b": 2, "c": 3}
    refusal = ("value", "value has a part that the schema does not accept")
    assert refusal_of(asked(response_schema=schema), wrong) == refusal
    del schema["allOf"]
    assert [problem.path for problem in problems_of(schema, wrong)] == [("a",), ("c",)]


def test_arguments_that_are_a_list_change_as_a_whole() -> None:
    request = asked(arguments=["rm", "x"], editable=True)
    assert expectation_of(request).accepted(["rm", "y"]) == ["rm", "y"]
    assert refusal_of(request, "rm y")[1] == "value must be a list"


def test_a_schema_restricts_editable_arguments() -> None:
    schema = {"properties": {"retries": {"maximum": 4}}}
    request = asked(arguments=PUSH, editable=True, response_schema=schema)
    assert refusal_of(request, {"retries": 5})[1] == "value.retries must be at most 4"


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (7, "must be an object, true or false"),
        ({"type": "nonsense"}, "type"),
        ({"pattern": "("}, "not a regular expression"),
        ({"pattern": "a" * 501}, "at most 500 characters"),
        ({"patternProperties": {"^a": {}}}, "must not use patternProperties"),
        ({"$ref": "https://example.org/schema"}, "may refer only to itself"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "may refer only to itself"),
        ({"description": "x" * 40_000}, "at most 32768 bytes"),
        (DEEP, "at most 20 levels"),
    ],
)
def test_a_schema_that_requests_may_not_use_is_refused_and_the_request_can_only_be_denied(
    schema: Any, reason: str
) -> None:
    with pytest.raises(UnusableSchema, match=reason):
        check_schema(schema)
    assert reason in (expectation_of(asked(response_schema=schema)).fault or "")


@pytest.mark.long
def test_a_small_schema_cannot_make_a_check_long() -> None:
    names = [f"d{n}" for n in range(40)]
    both = {name: {"anyOf": [{"$ref": f"#/$defs/{after}"}] * 2} for name, after in pairwise(names)}
    multiplied = {"$defs": {**both, names[-1]: False}, "$ref": "#/$defs/d0"}
    endless = {"$ref": "#"}
    backtracking = {"pattern": "^(a+)+$"}
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    named = {**both, "d0": both["d0"] | dialect, names[-1]: False}
    depending = {
        name: {"dependentSchemas": {key: {"$ref": f"#/$defs/{after}"} for key in "xy"}}
        for name, after in pairwise(names)
    }
    unevaluated = {"unevaluatedProperties": False, "$ref": "#/$defs/d0", "$defs": {**depending, names[-1]: True}}
    for schema, value in (
        (multiplied, 1),
        (endless, 1),
        (backtracking, "a" * 40 + "!"),
        ({"$defs": named, "$ref": "#/$defs/d0"}, 1),
        ({"properties": {"a": backtracking | dialect}}, {"a": "a" * 40 + "!"}),
        (dialect | {"properties": {"a": {"$ref": "#"}}} | backtracking, {"a": "a" * 40 + "!"}),
        (unevaluated, {"x": 1, "y": 1}),
        ({"items": True, "unevaluatedItems": False}, [1] * 60_000),
    ):
        started = time.monotonic()
        with pytest.raises(UnusableSchema):
            problems_of(schema, value)
        assert time.monotonic() - started < 10


@pytest.mark.parametrize("schema", [{"multipleOf": 0.1}, {"multipleOf": 5e-324}, {"items": {"multipleOf": 1.5}}])
def test_a_number_that_is_too_large_for_a_check_is_refused(schema: dict[str, Any]) -> None:
    value: Any = [10**400] if "items" in schema else 10**400
    assert "numbers of this size" in refusal_of(asked(response_schema=schema), value)[1]


def test_a_schema_itself_is_examined_in_little_time() -> None:
    mixed = [name for number in range(2000) for name in (number, f"a{number}")]
    draft_4 = {"$schema": "http://json-schema.org/draft-04/schema#"}
    began = time.thread_time()
    for schema in ({"required": mixed}, {"dependentRequired": {"a": mixed}}):
        with pytest.raises(UnusableSchema, match="is not of type 'string'"):
            check_schema(schema)
    check_schema(draft_4 | {"enum": [{f"a{number}": number} for number in range(2000)]})
    assert time.thread_time() - began < 3


def test_items_are_compared_in_linear_time_and_by_their_json_value() -> None:
    schema = {"type": "array", "uniqueItems": True}
    began = time.thread_time()
    assert problems_of(schema, [{"name": number, "on": True} for number in range(8000)]) == []
    assert time.thread_time() - began < 3
    for equal in ([1, 1.0], [{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}], ["x", "y", "x"], [None, None]):
        assert problems_of(schema, equal), equal
    for different in ([1, True, "1"], [0, False, None, "", [], {}], [{"a": 1}, {"a": 2}]):
        assert problems_of(schema, different) == [], different


def test_only_answers_that_need_no_value_may_be_remembered() -> None:
    remembered = [
        expectation_of(asked(**fields)).may_be_remembered
        for fields in ({}, {"arguments": PUSH, "editable": True}, {"choices": ["a"]}, {"response_schema": TRIP})
    ]
    assert remembered == [True, True, False, False]
