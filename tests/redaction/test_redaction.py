"""What exports hide."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from signalbox.store import Event
from signalbox.webapp.redaction.rules import HIDDEN, InvalidRule, Redaction
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
    shown = str(DEFAULT.value(secret))
    assert "s3cret" not in shown
    assert HIDDEN in shown


def test_events_are_redacted_by_a_look_at_their_payload_first() -> None:
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
def test_what_is_no_secret_stays(harmless: dict[str, Any]) -> None:
    assert DEFAULT.value(harmless) == harmless


def test_an_expression_hides_what_it_finds_in_texts() -> None:
    rules = Redaction(r"/sk-[a-z0-9]{4,40}/, pin")
    assert rules.value({"message": "used sk-abcd1234 twice", "pin": 1}) == {
        "message": f"used {HIDDEN} twice",
        "pin": HIDDEN,
    }
    assert rules.value({"token": "x"}) == {"token": "x"}


def test_no_rules_hide_nothing() -> None:
    assert Redaction(" , ").value({"token": "token=1"}) == {"token": "token=1"}


def test_a_rule_that_cannot_be_used_is_named_at_the_start() -> None:
    with pytest.raises(InvalidRule):
        Redaction("/(/")
    with pytest.raises(InvalidSetting, match=r"SIGNALBOX_REDACT.*'/\(/'"):
        Settings(redact="token,/(/")
