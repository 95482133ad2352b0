"""Test that failures with the same error have the same fingerprint, and different errors different ones."""

from __future__ import annotations

import time

import pytest

from signalbox.store.diagnosis.fingerprint import fingerprint, is_fingerprint
from signalbox.store.diagnosis.normal_form import normal_form, normal_line

SAME = [
    ("timeout after 30 s", "timeout after 1500 ms"),
    ("took 2 h 03 m", "took 7 s"),
    ("412 passed in 3.40s", "398 passed in 12.00s"),
    ("row 1,523 of 20,000", "row 7 of 9"),
    ("at 2026-11-21T14:02:07.123Z: gone", "at 2026-01-02 03:04:05: gone"),
    ("Thu Nov 27 09:33:31 2026 refused", "Mon Jan  5 23:00:00 2026 refused"),
    ("[27/Nov/2026:09:33:31 +0000] 500", "[01/Jan/2027:00:00:00 +0100] 500"),
    ("stopped 09:33:31,512", "stopped 23:59:00,001"),
    ("cannot open /var/a8f/one.csv", "cannot open /srv/data/two.csv"),
    ("cannot open '/mnt/ann/x y'", "cannot open '/opt/b y'"),
    (r"cannot open C:\Users\ann\one.csv", r"cannot open D:\two.csv"),
    ("cannot open ~/one.csv", "cannot open ./two.csv"),
    ("error in src/one.c:12:7", "error in lib/deep/two.c:9:31"),
    ("file:///var/one/two is locked", "file:///srv/three is locked"),
    ("GET https://example.org/items/17?x=1 failed", "GET https://example.org/users failed"),
    ("dial tcp 10.0.0.5:5432: refused", "dial tcp 192.168.17.254:80: refused"),
    ("object at 0x7f3a2b10", "object at 0x1"),
    ("commit a1b2c3d is missing", "commit 9f8e7d6c5b4a39281706 is missing"),
    ("order 6f1c1c1e-9f43-4a63-9d8a-0c5c1a0f7e11", "order 00000000-0000-4000-8000-000000000000"),
    ("run 01KB1Z6Q0R8M3T5V7W9XYZABCD", "run 01HZZZZZZZZZZZZZZZZZZZ1234"),
    ("in tmpa8k3x_1z", "in tmpq0q0q0q0"),
    ("pod web-6 is full", "pod web-12 is full"),
    ("needs 3.5 MB", "needs 12 GB"),
    ("\x1b[31mred\x1b[0m  alert", "red alert"),
    ("a\n  b", "a b"),
    ("===== 1 failed =====", "================ 23 failed ================"),
]
DIFFERENT = [
    ("disk full", "disk broken"),
    ("KeyError: 'name'", "KeyError: 'age'"),
    ("connection to db refused", "connection to cache refused"),
    ("killed by SIGKILL", "killed by SIGTERM"),
    ("GET https://example.org/a failed", "GET https://example.com/a failed"),
    ("", "failed"),
    ("Café closed", "Cafe closed"),
    ("and/or", "and or"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_numbers_ids_paths_and_times_make_no_difference(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)
    assert fingerprint("load", one) == fingerprint("load", other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_words_make_a_difference(one: str, other: str) -> None:
    assert fingerprint("load", one) != fingerprint("load", other)


def test_the_place_belongs_to_the_fingerprint() -> None:
    assert fingerprint("load", "disk full") != fingerprint("save", "disk full")
    assert fingerprint("shard 12", "disk full") == fingerprint("shard 700", "disk full")
    assert fingerprint("a", "bc") != fingerprint("ab", "c")
    assert is_fingerprint(fingerprint("", ""))
    assert not is_fingerprint("0123")


def test_a_line_keeps_the_names_of_its_files() -> None:
    assert normal_line("cc src/one.c") != normal_line("cc src/two.c")
    assert normal_line("cp /mnt/ann/build/one.c") == normal_line("cp /srv/ci/b17/one.c")
    assert normal_line("cp /mnt/ann/build/one.c") != normal_line("cp /mnt/ann/build/two.c")
    assert normal_line("wrote /var/pytest-2/test_boom0") == normal_line("wrote /var/pytest-31/test_boom7")
    assert normal_line("GET https://example.org/one 200 in 3 ms") != normal_line(
        "GET https://example.org/two 200 in 4 ms"
    )
    assert normal_line("  3 of 10   done") == normal_line(" 12 of 10 done")


@pytest.mark.parametrize(
    "text", ["1" * 100_000, "a1" * 50_000, "/" * 100_000, "./" * 50_000, "a/" * 50_000, "1:" * 9000]
)
def test_hostile_texts_take_little_time(text: str) -> None:
    started = time.process_time()
    normal_form(text)
    normal_line(text)
    assert time.process_time() - started < 0.1


def test_invalid_unicode_has_a_fingerprint() -> None:
    assert is_fingerprint(fingerprint("\ud800", "\x00\udfff"))
