"""Test many shapes of secrets, each with the part that must not remain."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from signalbox.store import Event
from signalbox.store.redaction.rules import HIDDEN, Redaction
from signalbox.webapp.settings import Settings

DEFAULT = Redaction(Settings().redact)
BASIC = base64.b64encode(b"ann:s3cret").decode()
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzM2NyZXQifQ.c2VjcmV0c2lnbmF0dXJl"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEs3cretkey0000\nABCDs3cretkey1111\n-----END RSA PRIVATE KEY-----"


def known_token(prefix: str, length: int = 24) -> str:
    """Return a token in the form of a known service, assembled here so that secret scanners ignore this file."""
    return prefix + ("s3cretA9" * 8)[:length]


TEXTS = [
    # names and values
    "AWS_SECRET_ACCESS_KEY=s3cret",
    "export AWS_SECRET_ACCESS_KEY=s3cret",
    'declare -x GITHUB_TOKEN="s3cret"',
    "set DB_PASSWORD=s3cret",
    '$env:API_KEY = "s3cret"',
    "PGPASSWORD=s3cret psql -h db",
    "MYSQL_PWD=s3cret",
    "SMTP_PASS=s3cret",
    "REDIS_AUTH_TOKEN=s3cret",
    "DJANGO_SECRET_KEY='s3cret with words'",
    "apikey=s3cret",
    "x-api-key: s3cret",
    "X-Auth-Token: s3cret",
    "api key: s3cret",
    "clientSecret=s3cret",
    "accessToken: 's3cret'",
    "password2=s3cret",
    "password := s3cret",
    "'password' => 's3cret'",
    "connect(host='db', password='s3cret')",
    "{'password': 's3cret', 'user': 'ann'}",
    "Server=db;User Id=sa;Password=s3cret;Encrypt=yes",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=s3cret==;",
    'password="a \\"quoted\\" s3cret"',
    "env: HOME=/root TOKEN=s3cret PATH=/bin",
    'cut off: password="s3cret',
    # headers and cookies
    "Authorization: Bearer s3cret",
    f"Authorization: Basic {BASIC}",
    "authorization: token s3cret",
    'Authorization: Digest username="ann", response="s3cret"',
    "Proxy-Authorization: Basic s3cret",
    "Cookie: theme=dark; session=s3cret",
    "Cookie: a=1; b=2; c=s3cret; d=4",
    "Set-Cookie: sid=1; Path=/\nSet-Cookie: other=s3cret; HttpOnly",
    "curl -H 'Cookie: a=1; b=s3cret' example.org",
    "curl -H 'Authorization: Bearer s3cret' example.org",
    'curl -b "a=1; b=2" --cookie "sid=s3cret; x=1" example.org',
    "sent with Bearer s3cret.token.9",
    f"tried Basic {BASIC} and failed",
    "b'Authorization': b'Bearer s3cret'",
    "[('host', 'a'), ('authorization', 'Bearer s3cret')]",
    "[(b'host', b'a'), (b'cookie', b'a=1; b=s3cret')]",
    'headers [["host", "a"], ["authorization", "s3cret"]] sent',
    # JSON in texts
    '{"token": "s3cret"}',
    'got {"user": "ann", "password": "s3cret", "n": 1} back',
    'body={\\"token\\": \\"s3cret\\"}',
    json.dumps({"body": json.dumps({"token": "s3cret"})}),
    json.dumps({"a": json.dumps({"b": json.dumps({"password": "x s3cret y"})})}),
    "log: " + json.dumps(json.dumps({"a": json.dumps({"password": "x s3cret y"})})),
    '{"name": "authorization", "value": "s3cret"}',
    'env {"value": "s3cret", "name": "DB_PASSWORD"}'.removeprefix("env "),
    '[["authorization", "s3cret"]]',
    # YAML and XML
    "db:\n  password: s3cret",
    "password: correct s3cret battery",
    "db:\n  password: |\n    s3cret\n    s3cret\n  user: ann",
    "- name: DB_PASSWORD\n  value: s3cret",
    "<user>ann</user><password>s3cret</password>",
    '<input name="password" value="s3cret">',
    # addresses
    "postgres://ann:s3cret@db/app",
    "redis://:s3cret@localhost:6379",
    "https://ann:s3cr@s3cret@host/",
    "git clone https://x-access-token:s3cret@github.com/a/b",
    "https://s3cret0123456789abcdef@sentry.io/1",
    "GET /?access_token=s3cret&page=2",
    "GET /?page=2&api_key=s3cret HTTP/1.1",
    "https://bucket/?X-Amz-Credential=s3cret&X-Amz-Signature=s3cret",
    "https://blob/?sv=1&sig=s3cret%3D",
    # command lines
    "login --password s3cret",
    "login --password=s3cret",
    "login --password 's3cret with words'",
    "tool --api-key s3cret --verbose",
    "curl -u ann:s3cret example.org",
    "curl --user ann:s3cret example.org",
    "sshpass -p s3cret ssh host",
    "machine host login ann password s3cret",
    "ALTER USER ann WITH PASSWORD 's3cret'",
    "//registry.example.org/:_authToken=s3cret",
    "//registry.example.org/:_auth=s3cret",
    # tokens with a recognisable prefix
    PEM,
    PEM.replace("\n", "\\n"),
    PEM.partition("-----END")[0],
    f"id {JWT} is used",
    f"cookie jar has {JWT}",
    *(
        f"used {known_token(prefix)} twice"
        for prefix in ("ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-")
    ),
    *(
        f"used {known_token(prefix)} twice"
        for prefix in ("sk-", "sk-proj-", "sk_live_", "npm_", "pypi-", "hf_", "sbx_", "sbs_")
    ),
    *(f"key={known_token(prefix, 35)}" for prefix in ("AIza", "ya29.")),
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_secret_in_a_text_is_hidden(text: str) -> None:
    for payload in (text, {"message": text}, {"arguments": {"log": [text]}}):
        redacted = json.dumps(DEFAULT.value(payload))
        assert "s3cret" not in redacted, redacted
        assert HIDDEN in redacted


def test_a_secret_in_an_event_is_hidden_as_in_a_text() -> None:
    fields = {"event_id": 1, "task_id": "t", "seq": 1, "event_type": "log", "actor": "runner", "span_id": "s"}
    more = {"phase": None, "parent_span_id": None, "created_at": "2026-11-21T14:02:07.000000Z"}
    for text in TEXTS:
        event = msgspec.json.decode(msgspec.json.encode({**fields, **more, "payload": {"message": text}}), type=Event)
        assert "s3cret" not in bytes(DEFAULT.event(event).payload_json).decode(), text


def test_the_quick_check_of_a_payload_misses_no_secret() -> None:
    texts = [form for text in TEXTS for form in (text, text.upper(), text.lower(), text.title(), f"ſ{text}ı")]
    values = [
        *texts,
        *VALUES,
        "-----BEGIN PRIVATE KEY-----",
        "DB_PASS\n= s3cret",
        "userPass1=s3cret",
        "DB_PASSé=s3cret",
    ]
    for value in values:
        given = {"message": value}
        if (redacted := DEFAULT.value(given)) != given:
            assert DEFAULT.event(event_with(given)).payload == redacted, value


PREFIXES = [
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "gldt-", "glrt-", "glptt-", "glsoat-", "glcbt-"),
    *("glft-", "sk_live_", "rk_test_", "pk_live_", "xoxb-", "xapp-", "AIza", "ya29.", "sbx_", "sbs_", "hvs.", "hvb."),
    *("hvr.", "dckr_pat_", "dckr_oat_", "doo_v1_", "dop_v1_", "dor_v1_", "shpat_", "shpca_", "shppa_", "shpss_"),
    *("lin_api_", "whsec_", "rubygems_", "dapi_", "glsa_", "nfp_", "figd_", "phc_", "phx_", "pat_", "sk-", "npm_"),
    *("pypi-", "hf_", "gsk_", "r8_", "AKIA", "ASIA", "ABIA", "ACCA", "AGE-SECRET-KEY-1"),
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_token_of_a_known_service_is_hidden_in_events(prefix: str) -> None:
    token = prefix + "0123456789" * 3
    assert token not in str(DEFAULT.event(event_with({"message": f"got {token} now"})).payload)


def test_a_rule_for_a_single_weak_word_hides_its_values() -> None:
    weak = Redaction("pass")
    assert "s3cret" not in str(weak.event(event_with({"message": "SMTP_PASS=s3cret"})).payload)
    assert weak.event(passed := event_with({"message": "12 tests passed"})) is passed


def event_with(payload: dict[str, Any]) -> Event:
    return Event(
        event_id=1,
        task_id="run",
        seq=1,
        event_type="log",
        phase=None,
        actor="runner",
        span_id="run",
        parent_span_id=None,
        payload_json=msgspec.Raw(msgspec.json.encode(payload)),
        created_at="2026-11-21T14:02:07.000000Z",
    )


def test_access_key_ids_are_hidden() -> None:
    assert DEFAULT.text("id AKIA" + "ABCDEFGHIJKLMNOP" + " of ann") == f"id {HIDDEN} of ann"


VALUES: list[Any] = [
    {"AWS_SECRET_ACCESS_KEY": "s3cret"},
    {"env": {"PGPASSWORD": "s3cret", "HOME": "/root"}},
    {"apikey": "s3cret"},
    {"headers": [["authorization", "s3cret"], ["host", "a"]]},
    {"headers": [{"name": "Authorization", "value": "s3cret"}]},
    {"env": [{"name": "DB_PASSWORD", "value": "s3cret"}]},
    {"env": [{"Key": "DB_PASSWORD", "Value": {"s": "s3cret"}}]},
    {"cookies": {"sid": "s3cret"}},
    {"headers": {"Set-Cookie": ["a=1", "b=s3cret"]}},
    {"command": ["curl", "-u", "ann:s3cret", "-H", "X-Token: s3cret"]},
    {"command": ["login", "--api-key", "s3cret"]},
    {"body": json.dumps({"user": {"password": "s3cret"}})},
    {"body": json.dumps([json.dumps({"token": "s3cret"})])},
    {"https://ann:s3cret@host/": 1},
]


@pytest.mark.parametrize("value", VALUES)
def test_a_secret_in_a_value_is_hidden(value: Any) -> None:
    redacted = json.dumps(DEFAULT.value(value))
    assert "s3cret" not in redacted, redacted
    assert HIDDEN in redacted
