"""Redaction on write: what is hidden before the store gets it, and what stays."""

from __future__ import annotations

import pytest

from signalbox.store import NewEvent
from signalbox.store.redaction.rules import DEFAULT_RULES, HIDDEN
from signalbox.store.redaction.writes import WriteRedaction, write_redaction_of_environment

HIDE = WriteRedaction(DEFAULT_RULES)
LOGIN = NewEvent(
    event_type="tool_status",
    span_id="token-1",
    key="password=1",
    payload={"tool_name": "curl", "arguments": {"password": "hunter2", "url": "https://example.org"}},
)


def test_payloads_are_redacted_and_ids_stay() -> None:
    event = HIDE.event(LOGIN)
    assert event.payload["arguments"] == {"password": HIDDEN, "url": "https://example.org"}
    assert (event.span_id, event.key) == (LOGIN.span_id, LOGIN.key)


def test_an_event_without_secrets_is_the_same_object() -> None:
    event = NewEvent(event_type="log", payload={"message": "all fine"})
    assert HIDE.event(event) is event


def test_values_that_an_answer_must_match_stay() -> None:
    schema = {"type": "object", "properties": {"password": {"type": "string"}}}
    request = NewEvent(
        event_type="permission_request",
        payload={"response_schema": schema, "choices": ["token=abc"], "arguments": {"token": "abc"}},
    )
    payload = HIDE.event(request).payload
    assert (payload["response_schema"], payload["choices"]) == (schema, ["token=abc"])
    assert payload["arguments"] == {"token": HIDDEN}


def test_arguments_with_a_hidden_value_cannot_be_edited_because_the_run_would_get_them_back() -> None:
    asked = {"arguments": {"url": "https://example.org", "token": "abc"}, "editable": True}
    request = NewEvent(event_type="permission_request", payload=asked)
    assert "editable" not in HIDE.event(request).payload
    harmless = NewEvent(event_type="permission_request", payload={"arguments": {"url": "a"}, "editable": ["url"]})
    assert HIDE.event(harmless).payload["editable"] == ["url"]


def test_without_rules_nothing_is_hidden() -> None:
    assert WriteRedaction("").event(LOGIN) is LOGIN
    assert WriteRedaction("").text("token=abc") == "token=abc"


def test_a_program_asks_for_it_with_a_variable() -> None:
    assert not write_redaction_of_environment({}).active
    assert not write_redaction_of_environment({"SIGNALBOX_REDACT_WRITES": "false"}).active
    hide = write_redaction_of_environment({"SIGNALBOX_REDACT_WRITES": "1"})
    assert hide.text("password=hunter2") == f"password={HIDDEN}"
    own = write_redaction_of_environment({"SIGNALBOX_REDACT_WRITES": "yes", "SIGNALBOX_REDACT": "/shoe size \\d+/"})
    assert own.text("shoe size 44") == HIDDEN


def test_a_program_with_invalid_rules_uses_the_default_rules(caplog: pytest.LogCaptureFixture) -> None:
    hide = write_redaction_of_environment({"SIGNALBOX_REDACT_WRITES": "1", "SIGNALBOX_REDACT": "/(/"})
    assert hide.text("password=hunter2") == f"password={HIDDEN}"
    assert "'/(/' is not a valid regular expression" in caplog.text
