"""Test which values exports hide."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from signalbox.store import Event
from signalbox.store.redaction.rules import HIDDEN, InvalidRule, Redaction
from signalbox.webapp.settings import InvalidSetting, Settings

DEFAULT = Redaction(Settings().redact)


SECRETS: list[dict[str, Any]] = [
    {"token": "s3cret"},
    {"access_token": "s3cret"},
    {"accessToken": {"value": "s3cret"}},
    {"headers": [{"Authorization": "Bearer s3cret"}]},
    {"X-Api-Key": "s3cret"},
    {"message": "password=s3cret"},
    {"message": "db_password: 's3cret words'"},
    {"message": "curl -H 'Authorization: Bearer s3cret' example.org"},
    {"message": '{"token": "s3cret"}'},
    {"message": "GET /?access_token=s3cret&page=2"},
    {"message": "login --password s3cret"},
    {"command": ["login", "--api-key", "s3cret", "now"]},
    {"command": ["login", "--token=s3cret"]},
]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_hidden(secret: dict[str, Any]) -> None:
    redacted = str(DEFAULT.value(secret))
    assert "s3cret" not in redacted
    assert HIDDEN in redacted


def test_secrets_in_events_are_hidden_and_other_events_are_unchanged() -> None:
    def event(payload: dict[str, Any]) -> Event:
        fields = {"event_id": 1, "task_id": "t", "seq": 1, "event_type": "log", "actor": "runner", "span_id": "s"}
        more = {"phase": None, "parent_span_id": None, "payload": payload, "created_at": "2026-11-21T14:02:07.000000Z"}
        return msgspec.json.decode(msgspec.json.encode(fields | more), type=Event)

    for payload in SECRETS:
        assert "s3cret" not in str(DEFAULT.event(event(payload)).payload), payload
    same = event({"message": "nothing to hide"})
    assert DEFAULT.event(same) is same


@pytest.mark.parametrize(
    "harmless",
    [
        {"tokens_used": 512, "max_tokens": 1024},
        {"message": "the secretary said: all tokens: 5 are used"},
        {"message": "no password was asked"},
        {"n": 3.5, "list": [1, None, True], "nothing": None},
    ],
)
def test_ordinary_values_are_kept(harmless: dict[str, Any]) -> None:
    assert DEFAULT.value(harmless) == harmless


def test_a_regular_expression_hides_its_matches_in_texts() -> None:
    rules = Redaction(r"/sk-[a-z0-9]{4,40}/, pin")
    assert rules.value({"message": "used sk-abcd1234 twice", "pin": 1}) == {
        "message": f"used {HIDDEN} twice",
        "pin": HIDDEN,
    }
    assert rules.value({"token": "x"}) == {"token": "x"}


def test_without_rules_nothing_is_hidden() -> None:
    assert Redaction(" , ").value({"token": "token=1"}) == {"token": "token=1"}


def test_an_invalid_rule_stops_the_start_with_its_name() -> None:
    with pytest.raises(InvalidRule):
        Redaction("/(/")
    with pytest.raises(InvalidSetting, match=r"SIGNALBOX_REDACT.*'/\(/'"):
        Settings(redact="token,/(/")


@pytest.mark.parametrize(
    "message",
    [
        '{"password": {"first": "s3cret"}, "password": 1}',
        '[{"headers": [["Cookie", "s3cret"]], "n": 1, "headers": []}]',
        '{"name": "token", "value": "s3cret", "value": "s3cret"}',
    ],
)
def test_a_json_text_with_repeated_names_keeps_only_what_parsers_read(message: str) -> None:
    assert "s3cret" not in DEFAULT.text(message)
