"""Test the time that redaction takes on texts made to be slow, and its result on deeply nested values."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from signalbox.store.redaction.rules import Redaction
from signalbox.webapp.settings import Settings

DEFAULT = Redaction(Settings().redact)

HARD = {
    "name": "a" * 200_000,
    "names": "password" * 25_000,
    "dashes": "-" * 200_000,
    "quotes": "password=" + '\\"' * 100_000,
    "open": 'password="' + "x" * 200_000,
    "many": "password='x' " * 16_000,
    "one-line": "a: " * 60_000,
    "colons": ":" * 200_000,
    "jwt": "eyJa-" * 40_000,
    "jwt2": "eyJaaaa." * 25_000,
    "urls": "https://a:" * 20_000,
    "ats": "://a:b@" * 25_000,
    "begin": "-----BEGIN PRIVATE KEY-----" * 8_000,
    "spaces": "password" + " " * 200_000 + "=x",
    "bearer": "bearer " * 28_000,
    "basic": "basic aaaa" * 20_000,
    "pairs": '["token", ' * 20_000,
    "slashes": "\\" * 200_000,
    "block": "password: |\n" + "  x\n" * 50_000,
    "yaml": "name: password\n" * 13_000,
    "tags": "<password " * 20_000,
    "json": "[" * 100_000,
    "words": "token token token " * 11_000,
    "flags": "--token " * 25_000,
    "login": "login a " * 25_000,
    "escaped": 'x={\\"token\\": \\"' * 10_000,
}


@pytest.mark.parametrize("name", HARD)
def test_a_worst_case_text_takes_linear_time(name: str) -> None:
    def seconds(text: str) -> float:
        started_at = time.process_time()
        DEFAULT.text(text)
        return time.process_time() - started_at

    whole = HARD[name]
    elapsed = seconds(whole)
    assert elapsed < 0.2 or elapsed < 4 * seconds(whole[: len(whole) // 2]) + 0.2
    assert elapsed < 4


def test_the_deepest_allowed_nesting_is_redacted() -> None:
    deep: Any = {"token": "s3cret"}
    for _ in range(90):
        deep = {"a": [deep]}
    assert "s3cret" not in json.dumps(DEFAULT.value(deep))
    text = '{"token":"s3cret"}'
    for _ in range(8):
        text = json.dumps({"a": text})
    assert "s3cret" not in DEFAULT.text(text)
    assert DEFAULT.text("[" * 5000) == "[" * 5000
