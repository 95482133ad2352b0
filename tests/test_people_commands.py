"""`signalbox user`, `token` and `project`: managing people at the database."""

from __future__ import annotations

import asyncio
import getpass
import io
import json
import os
import pty
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from store import open_store
from store.people import Account, People, digest_of
from store.sqlite import SqliteStore
from tests.support.command import RUN, environment, signalbox
from webapp.auth import passwords
from webapp.cli import answer

T = TypeVar("T")
PASSWORD = "correct horse"


class Terminal:
    """A person at a command line, with the database in SIGNALBOX_STORE_URL."""

    def __init__(self, store: SqliteStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = store
        self._capsys = capsys
        monkeypatch.setenv("SIGNALBOX_STORE_URL", store.url)
        monkeypatch.delenv("SIGNALBOX_SERVER", raising=False)
        monkeypatch.setattr("webapp.cli.password._piped", lambda: PASSWORD)
        monkeypatch.setattr("sys.stdin", io.StringIO())

    def does(self, *arguments: str) -> str:
        """What a command prints, when all goes well."""
        code = answer(arguments)
        told = self._capsys.readouterr()
        assert code == 0, told.err
        return told.out

    def fails(self, *arguments: str, code: int) -> str:
        """The one line that a command says when it cannot be done."""
        assert answer(arguments) == code
        told = self._capsys.readouterr()
        assert (told.out, told.err.count("\n")) == ("", 1)
        assert told.err.startswith("signalbox: ")
        return told.err

    def adds(self, email: str, *more: str) -> Account:
        """`user add`."""
        self.does("user", "add", email, "--password-stdin", *more)
        return self.account(email)

    def account(self, email: str) -> Account:
        found = self.reads(lambda people: people.account_by_email(email))
        assert found is not None
        return found[0]

    def reads(self, question: Callable[[People], Awaitable[T]]) -> T:
        async def read() -> T:
            return await question(self.store.people)

        return asyncio.run(read())

    @property
    def audits(self) -> list[dict[str, Any]]:
        """What was done, oldest first."""

        async def read() -> list[dict[str, Any]]:
            async with self.store.read() as view:
                return (await view.audits())[::-1]

        return asyncio.run(read())


@pytest.fixture
def at(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    store = open_store(f"sqlite:///{tmp_path}/signalbox.db")
    yield Terminal(store, capsys, monkeypatch)
    store.close()


# user


def test_an_account_is_made_with_its_role(at: Terminal) -> None:
    at.does("project", "add", "web")
    ann = at.adds("Ann@Example.org", "--project", "web", "--role", "operator")
    assert (ann.email, ann.admin) == ("ann@example.org", False)
    assert at.reads(lambda people: people.roles(ann.account_id)) == {"web": "operator"}
    found = at.reads(lambda people: people.account_by_email("ann@example.org"))
    assert found is not None
    assert passwords.verify(found[1], PASSWORD)
    assert at.adds("root@example.org", "--admin").admin


def test_the_list_says_who_may_do_what(at: Terminal) -> None:
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


def test_another_password_ends_the_sessions(at: Terminal) -> None:
    ann = at.adds("ann@example.org")
    before = at.reads(lambda people: people.account_by_email(ann.email))
    at.store.people.add_session(ann.account_id, digest_of("one"), "2999-01-01T00:00:00.000000Z")
    at.does("user", "password", "ann@example.org", "--password-stdin")
    assert at.reads(lambda people: people.account_by_email(ann.email)) != before
    assert at.reads(lambda people: people.session(digest_of("one"))) is None


def test_a_password_comes_from_standard_input(at: Terminal) -> None:
    done = signalbox(
        "user", "add", "ann@example.org", "--password-stdin", "--store", at.store.url, input=f"{PASSWORD}\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = at.reads(lambda people: people.account_by_email("ann@example.org"))
    assert found is not None
    assert passwords.verify(found[1], PASSWORD)


def test_a_password_is_asked_for_twice_and_not_shown(at: Terminal) -> None:
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [*RUN, "user", "add", "ann@example.org", "--store", at.store.url],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )
    assert process.stderr is not None
    for asked in (b"Password: ", b"The same again: "):
        # The blank at its end comes when nothing is echoed any more.
        heard = b""
        while not heard.endswith(asked):
            heard += process.stderr.read(1) or pytest.fail(f"it said {heard!r}")
        os.write(terminal, f"{PASSWORD}\n".encode())
    told, errors = process.communicate(timeout=60)
    os.close(theirs)
    os.set_blocking(terminal, False)
    try:
        shown = os.read(terminal, 1000)
    except OSError:
        shown = b""
    os.close(terminal)
    assert process.returncode == 0, errors
    assert PASSWORD.encode() not in told + errors + shown
    found = at.reads(lambda people: people.account_by_email("ann@example.org"))
    assert found is not None
    assert passwords.verify(found[1], PASSWORD)


# token


def test_a_token_is_shown_once_and_kept_as_a_hash(at: Terminal) -> None:
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


def test_a_token_reads_everywhere_and_for_ever_unless_told_otherwise(at: Terminal) -> None:
    secret = at.does("token", "create", "reader").strip()
    kept = at.reads(lambda people: people.token(digest_of(secret)))
    assert kept is not None
    assert (kept.scopes, kept.project_id, kept.account_id, kept.expires_at) == (("read",), None, None, None)


def test_the_list_says_which_tokens_still_work(at: Terminal) -> None:
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


# project


def test_projects_have_members_and_tasks(at: Terminal) -> None:
    at.does("project", "add", "web", "--name", "The web site")
    at.adds("ann@example.org")
    at.does("project", "member", "web", "ann@example.org", "owner")
    at.store.create_task("t", project_id="web")
    _, default, web = at.does("project", "list").splitlines()
    assert default.split()[:3] == ["default", "Default", "0"]
    assert web.startswith("web")
    assert "The web site  1      ann@example.org owner" in web
    assert "has 1 task" in at.fails("project", "remove", "web", code=1)
    at.does("project", "member", "web", "ann@example.org", "none")
    at.store.delete_task("t")
    at.does("project", "remove", "web")
    assert [one["project_id"] for one in json.loads(at.does("project", "list", "--json"))] == ["default"]


def test_a_project_has_an_agent_or_none(at: Terminal) -> None:
    at.does("project", "add", "web")
    for agent in (
        {"kind": "command", "argv": ["make", "all"], "cwd": "/srv/web", "env": {"KEY": "s3cret"}, "time_limit": 60},
        {"kind": "upstream", "url": "https://agent.example.org"},
    ):
        at.does("project", "agent", "web", json.dumps(agent))
        (_, web) = json.loads(at.does("project", "list", "--json"))
        assert web["agent"] == agent
    assert "s3cret" not in json.dumps(at.audits)
    at.does("project", "agent", "web", "none")
    (_, web) = json.loads(at.does("project", "list", "--json"))
    assert web["agent"] is None


@pytest.mark.parametrize(
    "agent",
    [
        {"kind": "shell"},
        {"argv": ["make"]},
        {"kind": "command"},
        {"kind": "command", "argv": []},
        {"kind": "command", "argv": "make all"},
        {"kind": "command", "argv": ["make"], "time_limit": 0},
        {"kind": "command", "argv": ["make"], "env": {"A": 1}},
        {"kind": "command", "argv": ["make"], "nice": 1},
        {"kind": "upstream", "url": "agent.example.org"},
    ],
    ids=json.dumps,
)
def test_an_agent_that_could_not_be_started_is_refused(at: Terminal, agent: dict[str, Any]) -> None:
    assert "agent" in at.fails("project", "agent", "default", json.dumps(agent), code=2)


# all of them


def test_what_is_done_is_audited_in_the_name_of_the_systems_user(at: Terminal) -> None:
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
    ("line", "code", "said"),
    [
        ("user add ann --password-stdin", 2, "email must be an address"),
        ("user add there@example.org --password-stdin", 1, "there is an account there@example.org already"),
        ("user add ann@example.org --password-stdin --project default", 2, "--project and --role belong together"),
        ("user add ann@example.org --password-stdin --project x --role viewer", 1, "there is no project 'x'"),
        ("user add ann@example.org --password-stdin --project default --role king", 2, "king"),
        ("user add ann@example.org", 2, "give --password-stdin"),
        ("user password ann@example.org --password-stdin", 1, "there is no account 'ann@example.org'"),
        ("user disable ann@example.org", 1, "there is no account"),
        ("user remove ann@example.org", 1, "there is no account"),
        ("user list --store sqlite:///no-such.db", 1, "there is no database"),
        ("user rename", 2, "No such command"),
        ("token create ci --scope all", 2, "'all' is not one of"),
        ("token create ci --expires 3y", 2, "must be a time such as"),
        ("token create ci --expires 0d", 2, "must be a time such as"),
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
        ("project remove default", 1, "stays"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(at: Terminal, line: str, code: int, said: str) -> None:
    at.adds("there@example.org")
    before = at.audits
    assert said in at.fails(*line.split(" "), code=code)
    assert at.audits == before


def test_a_short_password_is_told_and_makes_no_account(at: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.cli.password._piped", lambda: "short")
    assert "8 to 1024" in at.fails("user", "add", "ann@example.org", "--password-stdin", code=2)
    assert at.reads(lambda people: people.accounts()) == []


def test_a_server_is_not_where_people_are_managed(at: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALBOX_SERVER", "http://127.0.0.1:1")
    assert "give --store" in at.fails("user", "list", code=2)
    at.does("user", "list", "--store", at.store.url)


def test_a_group_alone_says_what_there_is(at: Terminal) -> None:
    assert "remove" in at.does("user")
