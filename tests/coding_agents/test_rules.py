"""The rules for tools: which one decides, and that shell tricks, links and `..` pass no rule that allows."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from signalbox.webapp.coding_agents.command_lines import command_line
from signalbox.webapp.coding_agents.real_paths import followed
from signalbox.webapp.coding_agents.rules import InvalidRules, Rules, ToolCall
from signalbox.webapp.coding_agents.rules_file import RulesFile


def rules(*given: dict[str, Any]) -> Rules:
    return Rules(json.dumps({"rules": given}))


def decision(of: Rules, tool: str = "Bash", *, real: tuple[str, ...] = (), **arguments: Any) -> str | None:
    call = ToolCall(
        agent="claude-code", tool=tool, arguments=arguments, folders=("/srv/ada/app",), project="web", real_paths=real
    )
    verdict = of.decide(call)
    return verdict.decision if verdict else None


ALLOWS_GIT = rules({"decision": "allow", "tool": "Bash", "command": "git status *"})


@pytest.mark.parametrize(
    "command",
    [
        "git status",
        "git status --short",
        "git status && git status -s",
        "git status 2>/dev/null",
        "git status > /dev/null 2>&1",
        "git status 'a file'",
        "git \\\n  status",
        "git status | git status",
    ],
)
def test_a_rule_allows_plain_commands_that_all_match(command: str) -> None:
    assert decision(ALLOWS_GIT, command=command) == "allow"


@pytest.mark.parametrize(
    "command",
    [
        "git status && rm -rf /",
        "git status; rm -rf /",
        "git status\nrm -rf /",
        "git status & rm -rf /",
        "git status | sh",
        "git status || rm -rf /",
        "git status $(rm -rf /)",
        "git status `rm -rf /`",
        'git status "$(rm -rf /)"',
        "git status <(rm -rf /)",
        "git status > ~/.bashrc",
        "git status >> ~/.bashrc",
        "git status >| ~/.bashrc",
        "git status < /etc/shadow",
        "git status <<< x",
        "git status << EOF\nx\nEOF",
        "GIT_PAGER=rm git status",
        "(git status)",
        "{ git status; }",
        "if git status; then rm x; fi",
        "git status $HOME",
        "git status {a,b}",
        "git statusx",
        "git status 'open",
        'git status "open',
        "git status \\",
        "git status # && x",
        "'git status' x",
        "> /dev/null",
        "",
        "git status\r rm -rf /",
        "git status " + "x" * 200_000,
    ],
)
def test_a_rule_that_allows_matches_no_other_command(command: str) -> None:
    assert decision(ALLOWS_GIT, command=command) is None


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf /",
        "rm   -rf   /",
        "r''m -rf /",
        '"rm" "-rf" /',
        "\\rm -rf /",
        "/bin/rm -rf /",
        "make && rm -rf /",
        "make; sudo rm -rf /",
        "sudo -u root env A=b rm -rf /",
        "A=b rm -rf /",
        "echo $(rm -rf /)",
        'echo "`rm -rf /`"',
        "(rm -rf /)",
        "if true; then rm -rf /; fi",
        "bash -c 'rm -rf /'",
        'sh -ec "make && rm -rf /"',
        "eval 'rm -rf /'",
        "find . | xargs -n 1 rm -rf /",
        "ls > f; rm -rf /",
    ],
)
def test_a_rule_that_denies_finds_the_command_within_others(command: str) -> None:
    assert decision(rules({"decision": "deny", "tool": "Bash", "command": "rm -rf *"}), command=command) == "deny"


def test_words_of_a_command_keep_what_quotes_protect() -> None:
    line = command_line("grep 'a;b' \"c && d\" e\\;f")
    assert line.commands == (("grep", "a;b", "c && d", "e;f"),)
    assert line.plain


def test_the_strictest_rule_that_matches_decides_and_among_equal_ones_the_first() -> None:
    of = rules(
        {"decision": "allow", "tool": "Bash", "command": "git *"},
        {"decision": "ask", "tool": "Bash", "command": "git push *"},
        {"decision": "deny", "tool": "Bash", "command": "git push --force *"},
        {"decision": "deny", "tool": "*", "command": "git push *-f*"},
    )
    assert decision(of, command="git log") == "allow"
    assert decision(of, command="git push origin") == "ask"
    assert decision(of, command="git push --force origin") == "deny"
    verdict = of.decide(ToolCall(agent="codex", tool="Bash", arguments={"command": "git push --force -f"}))
    assert verdict is not None
    assert verdict.words == "rule 3 (deny Bash: git push --force *)"


def test_paths_are_compared_without_dots_and_relative_to_the_session() -> None:
    of = rules({"decision": "allow", "tool": "Edit|Write", "path": "src/**"})
    assert decision(of, "Edit", file_path="/srv/ada/app/src/a.py") == "allow"
    assert decision(of, "Write", file_path="src//./x/../a.py") == "allow"
    assert decision(of, "Edit", file_path="/srv/ada/app/src/../secrets") is None
    assert decision(of, "Edit", file_path="src/../../../../etc/passwd") is None
    assert decision(of, "Edit", file_path="/srv/ada/app/src2/a.py") is None
    assert decision(of, "Edit") is None
    assert decision(of, "Read", file_path="src/a.py") is None


def test_a_link_is_followed_before_a_path_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "outside").write_text("")
    (tmp_path / "src" / "link").symlink_to(tmp_path / "outside")
    of = rules({"decision": "allow", "tool": "Edit", "path": f"{tmp_path}/src/**"})
    for name, expected in (("link", None), ("new.py", "allow")):
        path = str(tmp_path / "src" / name)
        assert decision(of, "Edit", real=followed([path], "/"), file_path=path) == expected


def test_a_path_that_is_denied_is_found_in_any_case_and_in_a_patch() -> None:
    of = rules({"decision": "deny", "path": "**/.env"}, {"decision": "ask", "path": "~/.ssh/**"})
    for path in (".env", "a/b/.ENV", "/srv/.env"):
        assert decision(of, "Read", file_path=path) == "deny"
    for home in ("home/ada", "root", "Users/ada"):
        assert decision(of, "Read", file_path=f"/{home}/.ssh/id_ed25519") == "ask"
    patch = "*** Begin Patch\n*** Update File: app.py\n*** Add File: config/.env\n+x\n*** End Patch"
    assert decision(of, "apply_patch", command=patch) == "deny"
    assert decision(of, "Read", file_path="env") is None


def test_an_allowed_path_must_hold_for_every_file_of_a_patch() -> None:
    of = rules({"decision": "allow", "tool": "apply_patch", "path": "src/**"})
    patch = "*** Begin Patch\n*** Update File: src/a.py\n{}*** End Patch"
    assert decision(of, "apply_patch", command=patch.format("")) == "allow"
    assert decision(of, "apply_patch", command=patch.format("*** Move to: /etc/passwd\n")) is None


def test_a_rule_may_name_the_agent_the_project_and_the_folder() -> None:
    for field, value in (("agent", "codex"), ("project", "other"), ("directory", "/opt/**")):
        assert decision(rules({"decision": "deny", field: value}), command="ls") is None
    for field, value in (("agent", "claude*"), ("project", "web"), ("directory", "/srv/ada/**"), ("tool", "Read|Ba*")):
        assert decision(rules({"decision": "deny", field: value}), command="ls") == "deny"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nowhere.json", "must be a JSON object or the path of a file"),
        ("{", "not valid"),
        ('{"rules": [{"decision": "maybe"}]}', "Invalid enum value 'maybe'"),
        ('{"rules": [{"decision": "deny", "tol": "Bash"}]}', "unknown field `tol`"),
        ('{"rules": [{"decision": "allow"}]}', "rule 1 allows everything"),
        ('{"rules": [{"decision": "deny", "tool": ""}]}', "tool of rule 1 must have 1 to 1000 characters"),
        ('{"rules": [{"decision": "deny", "path": "src/../x"}]}', "path of rule 1 must not contain .."),
        ('{"rules": [{"decision": "deny", "directory": "app"}]}', "directory of rule 1 must begin with /"),
        (json.dumps({"rules": [{"decision": "deny"}] * 1001}), "at most 1000 rules, not 1001"),
    ],
)
def test_rules_that_are_not_valid_are_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(InvalidRules) as refused:
        Rules(text)
    assert complaint in str(refused.value)


def test_a_changed_file_is_read_again_and_a_broken_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rules.json"
    path.write_text('{"rules": []}')
    of = RulesFile(str(path))
    assert decision(of.rules, command="ls") is None
    now = time.monotonic()
    for number, (text, expected, problem) in enumerate(
        (
            ('{"rules": [{"decision": "deny", "tool": "Bash"}]}', "deny", ""),
            ('{"rules": [{"decision": "nothing"}]}', "deny", "are not used"),
            ('{"rules": [{"decision": "allow", "tool": "é"}]}', "deny", "are not used"),
            ('{"rules": [{"decision": "ask", "tool": "Bash"}]}', "ask", ""),
        ),
        1,
    ):
        path.write_text(text, encoding="latin-1")
        os.utime(path, (number, number))
        monkeypatch.setattr(time, "monotonic", lambda number=number: now + 10 * number)
        assert decision(of.rules, command="ls") == expected
        assert problem in of.problem
