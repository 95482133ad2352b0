"""The retention rules: which time and which limit count for a task, clear errors, and files that change."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from signalbox.store.retention import InvalidRetention, Retention, RetentionFile, rules_file


def retention(*given: dict[str, Any], **settings: Any) -> Retention:
    return Retention(json.dumps({"rules": given}), **settings)


def days(of: Retention, project: str = "default", kind: str | None = None) -> tuple[float | None, float | None]:
    cold, deleted = of.cold_after(project, kind), of.delete_after(project, kind)
    return cold and cold.days, deleted and deleted.days


def test_nothing_moves_and_nothing_is_deleted_by_default() -> None:
    nothing = Retention()
    assert days(nothing) == (None, None)
    assert nothing.limits == []
    assert nothing.shortest_cold_after is nothing.shortest_delete_after is None


def test_the_plain_settings_are_for_all_tasks() -> None:
    plain = Retention(cold_after=30, delete_after=365, max_store_bytes=1000)
    assert days(plain, "any", "kind") == (30, 365)
    assert [(limit.max_bytes, limit.words) for limit in plain.limits] == [(1000, "the setting max_store_bytes")]
    assert plain.limits[0].matches("any", None)


def test_the_first_rule_with_a_time_counts_for_each_time_alone() -> None:
    rules = retention(
        {"project": "ci", "kind": "lint|format*", "delete_after": 7},
        {"project": "ci", "cold_after": 3, "delete_after": 90},
        {"kind": "release", "delete_after": "never"},
        cold_after=30,
        delete_after=365,
    )
    assert days(rules, "ci", "lint") == (3, 7)
    assert days(rules, "ci", "formatting") == (3, 7)
    assert days(rules, "ci", "tests") == (3, 90)
    assert days(rules, "web", "release") == (30, None)
    assert days(rules, "web", "lint") == (30, 365)
    assert rules.shortest_cold_after == 3
    assert rules.shortest_delete_after == 7


def test_an_age_names_its_rule() -> None:
    rules = retention({"project": "ci", "kind": "", "delete_after": 0.5}, cold_after=2)
    age = rules.delete_after("ci", None)
    assert age is not None
    assert (age.seconds, age.words) == (43_200, "rule 1 (project ci, kind none)")
    assert rules.delete_after("ci", "lint") is None
    cold = rules.cold_after("ci", None)
    assert cold is not None
    assert cold.words == "the setting cold_after"


def test_every_limit_on_a_size_counts() -> None:
    rules = retention({"project": "ci", "max_bytes": "1.5 GB"}, {"max_bytes": 2000}, max_store_bytes=5000)
    assert [limit.max_bytes for limit in rules.limits] == [1_500_000_000, 2000, 5000]
    assert [limit.matches("web", "x") for limit in rules.limits] == [False, True, True]


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ({}, "rule 1 must have cold_after, delete_after or max_bytes"),
        ({"delete_after": -1}, "delete_after of rule 1 must be 0 to 36500 days"),
        ({"delete_after": "soon"}, """delete_after of rule 1 must be 0 to 36500 days or "never", not 'soon'"""),
        ({"keep": 3}, "unknown field `keep`"),
        ({"cold_after": 30, "delete_after": 7}, "rule 1 deletes after 7 days, so cold_after must be less, not 30"),
        ({"max_bytes": "many"}, "max_bytes of rule 1 must be a number of bytes or a size such as 500 MB or 20 GB"),
        ({"max_bytes": 0}, "max_bytes of rule 1 must be between 1 byte and 1000 TB"),
        ({"project": " ", "delete_after": 1}, "project of rule 1 must name a project"),
        ({"kind": "k" * 1001, "delete_after": 1}, "kind of rule 1 must have at most 1000 characters"),
    ],
)
def test_an_invalid_rule_is_named(rule: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidRetention) as raised:
        retention(rule)
    assert complaint in str(raised.value)


def test_a_huge_size_is_named() -> None:
    with pytest.raises(InvalidRetention, match="max_bytes of rule 1 must be between"):
        retention({"max_bytes": int("9" * 400)})


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_bytes(b'{"rules": [{"kind": "\xff", "delete_after": 1}]}')
    with pytest.raises(InvalidRetention, match="not valid"):
        Retention(str(tmp_path / "rules.json"))


def test_names_are_matched_in_little_time() -> None:
    rules = retention({"kind": "*".join("aaaaaaaa") + "*b", "delete_after": 7}, {"kind": "*a*b|c*", "delete_after": 9})
    started = time.process_time()
    assert days(rules, "ci", "a" * 500) == (None, None)
    assert time.process_time() - started < 1
    assert days(rules, "ci", "a" * 500 + "b") == (None, 7)
    assert [days(rules, "ci", kind)[1] for kind in ("ab", "xaxb", "ba", "c", "abc", "aab")] == [9, 9, None, 9, None, 9]


@pytest.mark.parametrize("text", ["/there/is/none.json", "{", '{"rules": 3}', '{"rules": [], "more": 1}'])
def test_a_text_that_is_no_file_of_rules_is_refused(text: str) -> None:
    with pytest.raises(InvalidRetention):
        Retention(text)


def test_a_changed_file_is_read_again_and_a_bad_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules_file, "CHECK_SECONDS", 0)
    path = tmp_path / "retention.json"

    def write(text: str, at: int) -> None:
        path.write_text(text)
        os.utime(path, (at, at))

    write('{"rules": [{"delete_after": 7}]}', 1)
    file = RetentionFile(str(path), cold_after=2)
    assert (days(file.rules), file.problem) == ((2, 7), "")
    write('{"rules": [{"delete_after": 9}]}', 2)
    assert days(file.rules) == (2, 9)
    write('{"rules": [{"delete_after": "x"}]}', 3)
    assert days(file.rules) == (2, 9)
    assert "delete_after of rule 1" in file.problem
    path.unlink()
    assert days(file.rules) == (2, 9)
    assert str(path) in file.problem
    write('{"rules": []}', 4)
    assert (days(file.rules), file.problem) == ((2, None), "")
