"""Test that ordinary texts, and the text next to a secret, are kept."""

from __future__ import annotations

import pytest

from signalbox.store.redaction.rules import HIDDEN, Redaction
from signalbox.webapp.settings import Settings

DEFAULT = Redaction(Settings().redact)


@pytest.mark.parametrize(
    "text",
    [
        "tokens: 123",
        "used 512 tokens, max_tokens=1024",
        "password reset page: http://localhost/reset",
        "no password was asked",
        "the secretary said: all tokens: 5 are used",
        "token_count: 12, token_limit=4096",
        "password_policy: strict",
        "PWD=/proj/ann OLDPWD=/root",
        "12 tests pass: 3 are new",
        "a basic understanding of Basic Authentication",
        "the bearer certificates expire",
        "npm_lifecycle_event and npm_package_name are set",
        "sk-learn-contrib-extensions was installed",
        "docker run -u 1000:1000 image",
        "http://localhost:8000/path?page=2",
        "mailto:ann@example.org or ann@example.org: hello",
        "see https://example.org/@ann/notes",
        "commit 0123456789abcdef0123456789abcdef01234567",
        "12:04:05 INFO worker: started",
        '{"tokens": 12, "status": "ok"}',
        "authored by ann; passed: 12, secrets found: 0",
        'fields: ["password", "email", "name"]',
        "if a > b: return c",
        "tokenizer: bert, keyboard: us, monkey: 1",
        "cookie policy: lax",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "",
    ],
)
def test_an_ordinary_text_is_kept(text: str) -> None:
    assert DEFAULT.text(text) == text
    assert DEFAULT.value({"message": text}) == {"message": text}


def test_text_next_to_a_secret_is_kept() -> None:
    assert DEFAULT.text("GET /?access_token=s3cret&page=2 HTTP/1.1") == f"GET /?access_token={HIDDEN}&page=2 HTTP/1.1"
    assert DEFAULT.text("postgres://ann:s3cret@db/app") == f"postgres://ann:{HIDDEN}@db/app"
    assert DEFAULT.text('{"a": 1, "token": "s3cret"}') == f'{{"a":1,"token":"{HIDDEN}"}}'
    assert DEFAULT.text("user=ann password='s3 cret' db=app") == f"user=ann password='{HIDDEN}' db=app"
