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
def at(store: SqliteStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(store, capsys, monkeypatch)


# user


def test_an_account_is_created_with_its_role(at: Terminal) -> None:
    at.does("project", "add", "web")
    ann = at.adds("Ann@Example.org", "--project", "web", "--role", "operator")
    assert (ann.email, ann.admin) == ("ann@example.org", False)
    assert at.reads(lambda people: people.roles(ann.account_id)) == {"web": "operator"}
    found = at.reads(lambda people: people.account_by_email("ann@example.org"))
    assert found is not None
    assert passwords.verify(found[1], PASSWORD)
    assert at.adds("root@example.org", "--admin").admin


def test_the_list_shows_the_roles_of_each_account(at: Terminal) -> None:
    at.adds("ann@example.org", "--project", "default", "--role", "viewer")
    at.adds("root@example.org", "--admin")
    at.does("user", "disable", "ann@example.org")
    _, ann, root = at.does("user", "list").splitlines()
    assert ann.split()[:4] == ["ann@example.org", "default", "viewer", "disabled"]
    assert root.split()[:3] == ["root@example.org", "admin", "active"]
    listed = json.loads(at.does("user", "list", "--json"))
    assert [(one["email"], one["admin"], one["projects"]) for one in listed] == [
        ("ann@example.org", False, {"default": "viewer"}),
        ("root@example.org", True, {}),
    ]
    assert "hash" not in json.dumps(listed)


def test_an_account_is_disabled_enabled_and_removed(at: Terminal) -> None:
    at.adds("ann@example.org")
    at.does("user", "disable", "ANN@example.org")
    assert at.account("ann@example.org").disabled_at is not None
    at.does("user", "enable", "ann@example.org")
    assert at.account("ann@example.org").disabled_at is None
    at.does("user", "remove", "ann@example.org")
    assert at.reads(lambda people: people.accounts()) == []


def test_a_new_password_ends_all_sessions(at: Terminal) -> None:
    ann = at.adds("ann@example.org")
    before = at.reads(lambda people: people.account_by_email(ann.email))
    at.store.people.add_session(ann.account_id, digest_of("one"), "2999-01-01T00:00:00.000000Z")
    at.does("user", "password", "ann@example.org", "--password-stdin")
    assert at.reads(lambda people: people.account_by_email(ann.email)) != before
    assert at.reads(lambda people: people.session(digest_of("one"))) is None


def test_a_password_is_read_from_standard_input(at: Terminal) -> None:
    done = signalbox(
        "user", "add", "ann@example.org", "--password-stdin", "--store", at.store.url, input=f"{PASSWORD}\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = at.reads(lambda people: people.account_by_email("ann@example.org"))
    assert found is not None
    assert passwords.verify(found[1], PASSWORD)


def test_a_password_is_asked_for_twice_and_not_shown(at: Terminal) -> None:
    terminal, tty = pty.openpty()
    process = subprocess.Popen(
        [*RUN, "user", "add", "ann@example.org", "--store", at.store.url],
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
        os.write(terminal, f"{PASSWORD}\n".encode())
    output, errors = process.communicate(timeout=60)
    os.close(tty)
    os.set_blocking(terminal, False)
    try:
        shown = os.read(terminal, 1000)
    except OSError:
        shown = b""
    os.close(terminal)
    assert process.returncode == 0, errors
    assert PASSWORD.encode() not in output + errors + shown
    found = at.reads(lambda people: people.account_by_email("ann@example.org"))
    assert found is not None
    assert passwords.verify(found[1], PASSWORD)


# token


def test_a_token_is_shown_once_and_stored_as_a_hash(at: Terminal) -> None:
    at.does("project", "add", "web")
    ann = at.adds("ann@example.org")
    line = "token create ci --scope emit --scope read --project web --user ann@example.org --expires 30d"
    secret = at.does(*line.split()).strip()
    kept = at.reads(lambda people: people.token(digest_of(secret)))
    assert kept is not None
    assert (kept.name, kept.scopes, kept.project_id, kept.account_id) == ("ci", ("read", "emit"), "web", ann.account_id)
    assert kept.expires_at is not None
    assert kept.expires_at[:10] > kept.created_at[:10]
    assert secret not in json.dumps(at.audits)
    listed = at.does("token", "list")
    assert secret not in listed
    assert kept.token_id in listed


def test_a_token_reads_all_projects_without_expiry_by_default(at: Terminal) -> None:
    secret = at.does("token", "create", "reader").strip()
    kept = at.reads(lambda people: people.token(digest_of(secret)))
    assert kept is not None
    assert (kept.scopes, kept.project_id, kept.account_id, kept.expires_at) == (("read",), None, None, None)


def test_the_list_shows_which_tokens_are_valid(at: Terminal) -> None:
    ann = at.adds("ann@example.org")
    at.does("token", "create", "good")
    at.does("token", "create", "anns", "--user", "ann@example.org")
    at.store.people.add_token("late", digest_of("late"), scopes=("read",), expires_at="2020-01-01T00:00:00.000000Z")
    at.does("token", "create", "gone")
    gone = at.reads(lambda people: people.tokens())[-1]
    at.does("token", "revoke", gone.token_id)
    at.store.people.set_disabled(ann.account_id, True)
    listed = json.loads(at.does("token", "list", "--json"))
    assert {one["name"]: one["state"] for one in listed} == {
        "good": "active",
        "anns": "user disabled",
        "late": "expired",
        "gone": "revoked",
    }


# rules of all these commands


def test_commands_are_audited_with_the_name_of_the_system_user(at: Terminal) -> None:
    at.does("project", "add", "web")
    at.adds("ann@example.org", "--project", "web", "--role", "viewer")
    at.does("token", "create", "ci", "--user", "ann@example.org")
    at.does("token", "revoke", at.reads(lambda people: people.tokens())[0].token_id)
    for line in (
        "user password ann@example.org --password-stdin",
        "user disable ann@example.org",
        "user enable ann@example.org",
        "project member web ann@example.org owner",
        'project agent web {"kind":"upstream","url":"https://x.org"}',
        "user remove ann@example.org",
        "project remove web",
    ):
        at.does(*line.split())
    done = at.audits
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
def test_impossible_commands_are_reported_in_one_line(at: Terminal, line: str, code: int, expected: str) -> None:
    at.adds("there@example.org")
    before = at.audits
    assert expected in at.fails(*line.split(" "), code=code)
    assert at.audits == before


def test_a_short_password_is_reported_and_no_account_is_created(at: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signalbox.webapp.cli.password._piped", lambda: "short")
    assert "8 to 1024" in at.fails("user", "add", "ann@example.org", "--password-stdin", code=2)
    assert at.reads(lambda people: people.accounts()) == []


def test_commands_that_manage_people_refuse_a_server(at: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALBOX_SERVER", "http://127.0.0.1:1")
    assert "give --store" in at.fails("user", "list", code=2)
    at.does("user", "list", "--store", at.store.url)


def test_a_command_group_without_a_command_shows_its_commands(at: Terminal) -> None:
    assert "remove" in at.does("user")
