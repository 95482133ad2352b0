"""`signalbox user` and `signalbox token`, and rules of all commands that manage people in the database."""

from __future__ import annotations

import getpass
import json
import os
import pty
import subprocess

import pytest

from signalbox.store.people import digest_of
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.auth import passwords
from tests.support.command import RUN, environment, signalbox
from tests.support.terminal import PASSWORD, Terminal


@pytest.fixture
def terminal(store: SqliteStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(store, capsys, monkeypatch)


# user


def test_an_account_is_created_with_its_role(terminal: Terminal) -> None:
    terminal.run("project", "add", "web")
    ann = terminal.add_user("Ann@Example.org", "--project", "web", "--role", "operator")
    assert (ann.email, ann.admin) == ("ann@example.org", False)
    assert terminal.read_people(lambda people: people.roles(ann.account_id)) == {"web": "operator"}
    account_and_hash = terminal.read_people(lambda people: people.account_by_email("ann@example.org"))
    assert account_and_hash is not None
    assert passwords.verify(account_and_hash[1], PASSWORD)
    assert terminal.add_user("root@example.org", "--admin").admin


def test_the_list_shows_the_roles_of_each_account(terminal: Terminal) -> None:
    terminal.add_user("ann@example.org", "--project", "default", "--role", "viewer")
    terminal.add_user("root@example.org", "--admin")
    terminal.run("user", "disable", "ann@example.org")
    _, ann, root = terminal.run("user", "list").splitlines()
    assert ann.split()[:4] == ["ann@example.org", "default", "viewer", "disabled"]
    assert root.split()[:3] == ["root@example.org", "admin", "active"]
    listed = json.loads(terminal.run("user", "list", "--json"))
    assert [(account["email"], account["admin"], account["projects"]) for account in listed] == [
        ("ann@example.org", False, {"default": "viewer"}),
        ("root@example.org", True, {}),
    ]
    assert "hash" not in json.dumps(listed)


def test_an_account_is_disabled_enabled_and_removed(terminal: Terminal) -> None:
    terminal.add_user("ann@example.org")
    terminal.run("user", "disable", "ANN@example.org")
    assert terminal.account("ann@example.org").disabled_at is not None
    terminal.run("user", "enable", "ann@example.org")
    assert terminal.account("ann@example.org").disabled_at is None
    terminal.run("user", "remove", "ann@example.org")
    assert terminal.read_people(lambda people: people.accounts()) == []


def test_a_new_password_ends_all_sessions(terminal: Terminal) -> None:
    ann = terminal.add_user("ann@example.org")
    before = terminal.read_people(lambda people: people.account_by_email(ann.email))
    terminal.store.people.add_session(ann.account_id, digest_of("one"), "2999-01-01T00:00:00.000000Z")
    terminal.run("user", "password", "ann@example.org", "--password-stdin")
    assert terminal.read_people(lambda people: people.account_by_email(ann.email)) != before
    assert terminal.read_people(lambda people: people.session(digest_of("one"))) is None


def test_a_password_is_read_from_standard_input(terminal: Terminal) -> None:
    done = signalbox(
        "user", "add", "ann@example.org", "--password-stdin", "--store", terminal.store.url, input=f"{PASSWORD}\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    account_and_hash = terminal.read_people(lambda people: people.account_by_email("ann@example.org"))
    assert account_and_hash is not None
    assert passwords.verify(account_and_hash[1], PASSWORD)


@pytest.mark.long
def test_a_password_is_asked_for_twice_and_not_shown(terminal: Terminal) -> None:
    pty_end, tty = pty.openpty()
    process = subprocess.Popen(
        [*RUN, "user", "add", "ann@example.org", "--store", terminal.store.url],
        stdin=tty,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )
    assert process.stderr is not None
    for expected_prompt in (b"Password: ", b"Repeat the password: "):
        # The prompt's trailing space is written after echo is turned off.
        prompt = b""
        while not prompt.endswith(expected_prompt):
            prompt += process.stderr.read(1) or pytest.fail(f"the command printed {prompt!r}")
        os.write(pty_end, f"{PASSWORD}\n".encode())
    output, errors = process.communicate(timeout=60)
    os.close(tty)
    os.set_blocking(pty_end, False)
    try:
        echoed = os.read(pty_end, 1000)
    except OSError:
        echoed = b""
    os.close(pty_end)
    assert process.returncode == 0, errors
    assert PASSWORD.encode() not in output + errors + echoed
    account_and_hash = terminal.read_people(lambda people: people.account_by_email("ann@example.org"))
    assert account_and_hash is not None
    assert passwords.verify(account_and_hash[1], PASSWORD)


# token


def test_a_token_is_shown_once_and_stored_as_a_hash(terminal: Terminal) -> None:
    terminal.run("project", "add", "web")
    ann = terminal.add_user("ann@example.org")
    line = "token create ci --scope emit --scope read --project web --user ann@example.org --expires 30d"
    secret = terminal.run(*line.split()).strip()
    stored = terminal.read_people(lambda people: people.token(digest_of(secret)))
    assert stored is not None
    assert (stored.name, stored.scopes, stored.project_id, stored.account_id) == (
        "ci",
        ("read", "emit"),
        "web",
        ann.account_id,
    )
    assert stored.expires_at is not None
    assert stored.expires_at[:10] > stored.created_at[:10]
    assert secret not in json.dumps(terminal.audits)
    listed = terminal.run("token", "list")
    assert secret not in listed
    assert stored.token_id in listed


def test_a_token_reads_all_projects_without_expiry_by_default(terminal: Terminal) -> None:
    secret = terminal.run("token", "create", "reader").strip()
    stored = terminal.read_people(lambda people: people.token(digest_of(secret)))
    assert stored is not None
    assert (stored.scopes, stored.project_id, stored.account_id, stored.expires_at) == (("read",), None, None, None)


def test_the_list_shows_which_tokens_are_valid(terminal: Terminal) -> None:
    ann = terminal.add_user("ann@example.org")
    terminal.run("token", "create", "good")
    terminal.run("token", "create", "anns", "--user", "ann@example.org")
    terminal.store.people.add_token(
        "late", digest_of("late"), scopes=("read",), expires_at="2020-01-01T00:00:00.000000Z"
    )
    terminal.run("token", "create", "gone")
    gone = terminal.read_people(lambda people: people.tokens())[-1]
    terminal.run("token", "revoke", gone.token_id)
    terminal.store.people.set_disabled(ann.account_id, True)
    listed = json.loads(terminal.run("token", "list", "--json"))
    assert {token["name"]: token["state"] for token in listed} == {
        "good": "active",
        "anns": "user disabled",
        "late": "expired",
        "gone": "revoked",
    }


# rules of all these commands


def test_commands_are_audited_with_the_name_of_the_system_user(terminal: Terminal) -> None:
    terminal.run("project", "add", "web")
    terminal.add_user("ann@example.org", "--project", "web", "--role", "viewer")
    terminal.run("token", "create", "ci", "--user", "ann@example.org")
    terminal.run("token", "revoke", terminal.read_people(lambda people: people.tokens())[0].token_id)
    for line in (
        "user password ann@example.org --password-stdin",
        "user disable ann@example.org",
        "user enable ann@example.org",
        "project member web ann@example.org owner",
        'project agent web {"kind":"upstream","url":"https://x.org"}',
        "user remove ann@example.org",
        "project remove web",
    ):
        terminal.run(*line.split())
    done = terminal.audits
    assert {(audit["actor"], audit["source"]) for audit in done} == {(getpass.getuser(), "command")}
    assert [audit["action"] for audit in done] == [
        "project_add",
        "user_add",
        "token_create",
        "token_revoke",
        "user_password",
        "user_disable",
        "user_enable",
        "project_member",
        "project_agent",
        "user_remove",
        "project_remove",
    ]
    assert done[1]["detail"] == {"email": "ann@example.org", "admin": False, "project_id": "web", "role": "viewer"}


@pytest.mark.parametrize(
    ("line", "code", "expected"),
    [
        ("user add ann --password-stdin", 2, "email must be an address"),
        ("user add there@example.org --password-stdin", 1, "there is an account there@example.org already"),
        ("user add ann@example.org --password-stdin --project default", 2, "give --project and --role together"),
        ("user add ann@example.org --password-stdin --project x --role viewer", 1, "there is no project 'x'"),
        ("user add ann@example.org --password-stdin --project default --role king", 2, "king"),
        ("user add ann@example.org", 2, "give --password-stdin"),
        ("user password ann@example.org --password-stdin", 1, "there is no account 'ann@example.org'"),
        ("user disable ann@example.org", 1, "there is no account"),
        ("user remove ann@example.org", 1, "there is no account"),
        ("user list --store sqlite:///no-such.db", 1, "there is no database"),
        ("user rename", 2, "No such command"),
        ("token create ci --scope all", 2, "'all' is not one of"),
        ("token create ci --expires 3y", 2, "must be a duration such as"),
        ("token create ci --expires 0d", 2, "must be a duration such as"),
        ("token create ci --user ann@example.org", 1, "there is no account"),
        ("token create ci --project x", 1, "there is no project 'x'"),
        ("token create ", 2, "name must have"),
        ("token revoke nope", 1, "there is no token 'nope'"),
        ("token revoke \udcff", 2, "an argument is not valid Unicode text"),
        ("project remove \udcff", 2, "an argument is not valid Unicode text"),
        ("project add Web", 2, "project_id must be"),
        ("project add default", 1, "there is a project default already"),
        ("project member x there@example.org viewer", 1, "there is no project 'x'"),
        ("project member default ann@example.org viewer", 1, "there is no account"),
        ("project member default there@example.org king", 2, "king"),
        ("project agent x none", 1, "there is no project 'x'"),
        ("project agent default {", 2, "must be a JSON object"),
        ("project remove default", 1, "cannot be removed"),
    ],
)
def test_impossible_commands_are_reported_in_one_line(terminal: Terminal, line: str, code: int, expected: str) -> None:
    terminal.add_user("there@example.org")
    before = terminal.audits
    assert expected in terminal.run_failing(*line.split(" "), code=code)
    assert terminal.audits == before


def test_a_short_password_is_reported_and_no_account_is_created(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalbox.webapp.cli.password._piped", lambda: "short")
    assert "8 to 1024" in terminal.run_failing("user", "add", "ann@example.org", "--password-stdin", code=2)
    assert terminal.read_people(lambda people: people.accounts()) == []


def test_commands_that_manage_people_refuse_a_server(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALBOX_SERVER", "http://127.0.0.1:1")
    assert "give --store" in terminal.run_failing("user", "list", code=2)
    terminal.run("user", "list", "--store", terminal.store.url)


def test_a_command_group_without_a_command_shows_its_commands(terminal: Terminal) -> None:
    assert "remove" in terminal.run("user")
