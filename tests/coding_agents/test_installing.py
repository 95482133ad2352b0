"""`signalbox hooks install` and `uninstall`: what they write, keep, restore and refuse."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from signalbox.integrations.agent_hook_exchange import DEFAULT_SERVER
from signalbox.webapp.cli import run_command_line
from signalbox.webapp.coding_agents.agents import AGENTS
from signalbox.webapp.coding_agents.installing import PLACES, is_ours

FOREIGN = b"""{
    "model": "opus",
    "hooks": {
        "PreToolUse": [
            {"matcher": "Bash", "hooks": [{"type": "command", "command": "mine.sh"}]}
        ]
    },
    "permissions": {"allow": ["Bash(ls)"], "ratio": 1.0}
}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_CONFIG_HOME", "SIGNALBOX_SERVER", "SIGNALBOX_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(home: Path, content: bytes | None = None) -> Path:
    path = home / ".claude" / "settings.json"
    path.parent.mkdir(exist_ok=True)
    if content is not None:
        path.write_bytes(content)
    return path


def hooks(*arguments: str) -> int:
    return run_command_line(["hooks", *arguments])


def files(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir())


@pytest.mark.parametrize("agent", AGENTS)
def test_every_agent_gets_a_hook_for_each_of_its_events(home: Path, agent: str) -> None:
    assert hooks("install", agent, "--yes", "--wait", "60") == 0
    path = PLACES[agent].path(None)
    assert path.is_relative_to(home)
    unit = 1000 if agent == "gemini-cli" else 1
    installed = json.loads(path.read_text())["hooks"]
    assert set(AGENTS[agent].moments) - {"SessionEnd", "StopFailure"} <= set(installed)
    for event, groups in installed.items():
        (hook,) = groups[0]["hooks"]
        assert hook["timeout"] == (90 if event in PLACES[agent].asking else 10) * unit
        assert f"hook {agent} --server {DEFAULT_SERVER} --wait 60" in hook["command"]
    assert hooks("uninstall", agent, "--yes") == 0
    assert files(path) == []


def test_a_file_is_restored_byte_for_byte_and_other_hooks_stay_meanwhile(home: Path) -> None:
    path = settings(home, FOREIGN)
    path.chmod(0o640)
    assert hooks("install", "--yes") == 0
    changed = path.read_text()
    assert '"permissions": {"allow": ["Bash(ls)"], "ratio": 1.0}\n}\n' in changed
    commands = [hook["command"] for group in json.loads(changed)["hooks"]["PreToolUse"] for hook in group["hooks"]]
    assert commands[0] == "mine.sh"
    assert len(commands) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    (backup,) = [name for name in files(path) if "backup" in name]
    assert (path.parent / backup).read_bytes() == FOREIGN
    assert hooks("uninstall", "--yes") == 0
    assert path.read_bytes() == FOREIGN
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert files(path) == ["settings.json"]


def test_a_second_installation_changes_nothing_and_one_with_other_options_replaces_the_first(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = settings(home, FOREIGN)
    hooks("install", "--yes")
    first, kept = path.read_bytes(), files(path)
    assert hooks("install", "--yes") == 0
    assert "nothing to change" in capsys.readouterr().out
    assert (path.read_bytes(), files(path)) == (first, kept)
    hooks("install", "--yes", "--server", "http://other:9000")
    assert b"http://other:9000" in path.read_bytes()
    assert DEFAULT_SERVER.encode() not in path.read_bytes()
    hooks("uninstall", "--yes")
    assert path.read_bytes() == FOREIGN


def test_a_disk_that_is_full_leaves_the_earlier_hooks_with_their_backup(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, replace = settings(home, FOREIGN), os.replace
    hooks("install", "--yes")
    first = path.read_bytes()

    def full(source: str, target: Path) -> None:
        if target == path.resolve():
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as disk:
        disk.setattr(os, "replace", full)
        assert hooks("install", "--yes", "--server", "http://other:9000") == 1
    assert path.read_bytes() == first
    assert hooks("uninstall", "--yes") == 0
    assert path.read_bytes() == FOREIGN
    assert files(path) == ["settings.json"]


def test_a_file_that_was_changed_since_loses_only_our_hooks(home: Path) -> None:
    path = settings(home, FOREIGN)
    hooks("install", "--yes")
    path.write_text(path.read_text().replace('"model": "opus"', '"model": "haiku"'))
    assert hooks("uninstall", "--yes") == 0
    assert json.loads(path.read_text()) == json.loads(FOREIGN.replace(b"opus", b"haiku"))


@pytest.mark.parametrize(
    "content", [b"{}", b'{"a": 1}', b'{\n\t"a": [1,\n\t2]\n}', b'\xef\xbb\xbf{"a": 1}\r\n', b"", b" \n"]
)
def test_a_file_without_hooks_keeps_everything_else_as_it_is(home: Path, content: bytes) -> None:
    path = settings(home, content)
    assert hooks("install", "--yes") == 0
    before, after = json.loads(content.decode("utf-8-sig") or "{}" if content.strip() else "{}"), path.read_bytes()
    assert {name: value for name, value in json.loads(after.decode("utf-8-sig")).items() if name != "hooks"} == before
    assert after.startswith(b"\xef\xbb\xbf") == content.startswith(b"\xef\xbb\xbf")
    path.write_bytes(after + b" ")
    hooks("uninstall", "--yes")
    assert json.loads(path.read_text("utf-8-sig")) == before
    assert content.decode().rstrip().rstrip("}").rstrip() in path.read_text()


def test_a_linked_file_is_changed_behind_its_link(home: Path) -> None:
    (home / "dotfiles").mkdir()
    real = home / "dotfiles" / "claude.json"
    real.write_bytes(FOREIGN)
    path = settings(home)
    path.symlink_to("../dotfiles/claude.json")
    hooks("install", "--yes")
    assert path.is_symlink()
    assert b"hook claude-code" in real.read_bytes()
    hooks("uninstall", "--yes")
    assert path.is_symlink()
    assert real.read_bytes() == FOREIGN


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"hooks": [', "it is not valid JSON: Expecting value in line 1"),
        (b"// a comment\n{}", "it is not valid JSON"),
        (b"[]", "it must be a JSON object, not a list"),
        (b'{"hooks": []}', "its 'hooks' must be an object, not a list"),
        (b'{"hooks": {"Stop": {}}}', "the hooks of 'Stop' must be a list of objects, not an object"),
        (b'{"a": 1, "a": 2}', "it has the key 'a' twice"),
        (b"\xff{}", "it is not UTF-8"),
        (b"[" * 100_000, "it is nested too deeply"),
    ],
)
def test_a_damaged_file_is_refused_and_not_touched(
    home: Path, capsys: pytest.CaptureFixture[str], content: bytes, complaint: str
) -> None:
    path = settings(home, content)
    for action in ("install", "uninstall"):
        assert hooks(action, "--yes") == 1
        assert complaint in capsys.readouterr().err
    assert path.read_bytes() == content
    assert files(path) == ["settings.json"]


def test_the_change_is_shown_and_nothing_is_written_without_consent(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = settings(home, FOREIGN)
    assert hooks("install") == 1
    shown = capsys.readouterr()
    assert '+                        "command": ' in shown.out
    assert "give --yes" in shown.err
    assert path.read_bytes() == FOREIGN


def test_a_project_has_settings_of_its_own(home: Path) -> None:
    assert hooks("install", "--project", "--yes") == 0
    assert (home / ".claude" / "settings.json").exists()
    assert hooks("install", "codex", "--project", "--yes") == 0
    assert (home / ".codex" / "hooks.json").exists()


def test_a_token_is_saved_for_its_owner_alone_and_not_in_the_settings(home: Path) -> None:
    hooks("install", "--yes", "--token", "sb_secret", "--server", "http://127.0.0.1:9/")
    hooks("install", "--yes", "--token", "sb_newer", "--server", "http://127.0.0.1:9")
    tokens = home / ".config" / "signalbox" / "tokens"
    assert tokens.read_text() == "http://127.0.0.1:9 sb_newer\n"
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o600
    assert "sb_" not in settings(home).read_text()


@pytest.mark.parametrize(
    ("command", "ours"),
    [
        ("/opt/venv/bin/signalbox hook claude-code --server http://127.0.0.1:8000", True),
        ("/usr/bin/python3 -m signalbox hook codex", True),
        ("signalbox-console hook gemini-cli", True),
        ("signalbox emit t log", False),
        ("my-hook claude-code", False),
    ],
)
def test_our_hooks_are_told_from_others(command: str, ours: bool) -> None:
    assert is_ours({"type": "command", "command": command}) is ours


RULES = '{"rules": [{"decision": "deny", "tool": "Bash", "command": "git push *-f*", "reason": "history is shared"}]}'


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (("--tool", "Bash", "--input", "git push -f"), "deny: rule 1 (deny Bash: git push *-f*): history is shared\n"),
        (("--tool", "Bash", "--input", '{"command": "make && git push -f"}'), "deny: rule 1"),
        (("--tool", "Bash", "--input", "git push"), "no rule matches"),
    ],
)
def test_a_call_can_be_tried_against_the_rules(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], printed: str
) -> None:
    assert hooks("test", "--rules", RULES, *arguments) == 0
    assert printed in capsys.readouterr().out


def test_a_recorded_payload_can_be_tried_against_the_rules(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "call.json").write_text('{"tool_name": "Bash", "tool_input": {"command": "git push -f"}}')
    assert hooks("test", "call.json", "--rules", RULES) == 0
    assert capsys.readouterr().out.startswith("deny: rule 1")
    assert hooks("test", "--rules", '{"rules": 1}', "--tool", "Bash") == 2
    assert "the rules: they are not valid" in capsys.readouterr().err
