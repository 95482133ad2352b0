"""What an agent sends costs time in proportion to its length, and no trick with its length passes a rule."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from signalbox.webapp.coding_agents.path_patterns import MAX_PATHS
from signalbox.webapp.coding_agents.real_paths import followed
from signalbox.webapp.coding_agents.rules import Rules, ToolCall
from signalbox.webapp.coding_agents.user_questions import question_form, with_answers

MARKS = "\u0301\u0316" * 40_000
"""Combining marks that a plain normalisation sorts for half a minute."""


def decision(rule: dict[str, Any], tool: str = "Bash", *, cwd: str = "/srv/app", **arguments: Any) -> str | None:
    rules = Rules(json.dumps({"rules": [rule]}))
    verdict = rules.decide(ToolCall(agent="codex", tool=tool, arguments=arguments, folders=(cwd,)))
    return verdict.decision if verdict else None


@contextmanager
def processor_seconds(limit: float) -> Iterator[None]:
    began = time.thread_time()
    yield
    assert time.thread_time() - began < limit


@pytest.mark.parametrize(
    "command",
    [
        "sudo " * 19_000 + "rm -rf /",
        "$(" * 49_000 + "rm -rf /",
        "$(" * 24_000 + "rm -rf /" + ")" * 24_000,
        "`a" * 30_001 + "`;rm -rf /",
        "eval " * 3 + "true;" * 15_000 + "rm -rf /",
        '"$(' * 30_000 + "rm -rf /",
    ],
    ids=("runners", "open substitutions", "substitutions", "backquotes", "eval", "in quotes"),
)
def test_a_command_is_found_however_deep_it_is_in_a_line(command: str) -> None:
    with processor_seconds(6):
        assert decision({"decision": "deny", "command": "rm -rf *"}, command=command) == "deny"


def test_a_pattern_with_many_stars_takes_no_time_for_a_text_that_almost_matches() -> None:
    with processor_seconds(3):
        assert decision({"decision": "deny", "command": "*a*b*c*"}, command="ab" * 40_000) is None
        assert decision({"decision": "deny", "tool": "*a*b*c*d"}, "abc" * 20_000, command="ls") is None
        for path in ("/" + "ab" * 2000, "/ab" * 1300):
            assert decision({"decision": "deny", "path": "**/*a*b*a*b*c*/**"}, file_path=path) is None


def test_a_path_that_no_system_opens_is_denied_and_never_allowed() -> None:
    with processor_seconds(3):
        for path in (f"src/{MARKS}", "src/" * 100_000, "src/a\0b"):
            assert decision({"decision": "deny", "path": "**/.env"}, file_path=path) == "deny"
            assert decision({"decision": "allow", "path": "src/**"}, file_path=path) is None
            assert followed([path], "/srv/app") == ()
        for cwd in (f"/{MARKS}", "/a" * 300_000):
            assert decision({"decision": "allow", "directory": "/**"}, command="ls", cwd=cwd) is None


def test_a_rule_allows_no_files_beyond_those_that_it_compares() -> None:
    given = [f"src/{number}" for number in range(MAX_PATHS)]
    assert decision({"decision": "allow", "path": "src/**"}, "Read", paths=given) == "allow"
    assert decision({"decision": "allow", "path": "src/**"}, "Read", paths=[*given, "/etc/passwd"]) is None


def test_a_rule_about_paths_allows_no_command_line() -> None:
    patch = "*** Begin Patch\n*** Update File: src/a.py\n rm -rf /\n*** End Patch"
    rule = {"decision": "allow", "path": "src/**"}
    assert decision(rule, "Bash", command=patch) is None
    assert decision(rule, "Bash", command="rm -rf /", file_path="src/a.py") is None
    assert decision(rule, "apply_patch", command=patch) == "allow"


@pytest.mark.parametrize("odd", ["b", None, 1, [], {"label": ["b"]}, {"label": None}, {}])
def test_a_question_is_shown_with_the_choices_that_have_a_label(odd: Any) -> None:
    arguments = {"questions": [{"question": "Which?", "options": [odd, {"label": "a", "description": ["x"]}]}]}
    form = question_form(arguments)
    assert form is not None
    assert form["properties"]["question 1"]["enum"] == ["a"]
    assert with_answers(arguments, {"question 1": "a"})["answers"] == {"Which?": "a"}
