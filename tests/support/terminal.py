"""Run the command `signalbox` in this process, as a person run at a terminal."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from signalbox.store.contract import People
from signalbox.store.people import Account
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.cli import run_command_line
from tests.support.log import audits_of

T = TypeVar("T")


PASSWORD = "correct horse"


class Terminal:
    """A person at a terminal, with the database in SIGNALBOX_STORE_URL."""

    def __init__(self, store: SqliteStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = store
        self._capsys = capsys
        monkeypatch.setenv("SIGNALBOX_STORE_URL", store.url)
        monkeypatch.delenv("SIGNALBOX_SERVER", raising=False)
        monkeypatch.setattr("signalbox.webapp.cli.password._piped", lambda: PASSWORD)
        monkeypatch.setattr("sys.stdin", io.StringIO())

    def run(self, *arguments: str) -> str:
        """Run a command that must succeed, and return its output."""
        code = run_command_line(arguments)
        printed = self._capsys.readouterr()
        assert code == 0, printed.err
        return printed.out

    def run_failing(self, *arguments: str, code: int) -> str:
        """Run a command that must fail with exit code `code`, and return its one line on stderr."""
        assert run_command_line(arguments) == code
        printed = self._capsys.readouterr()
        assert (printed.out, printed.err.count("\n")) == ("", 1)
        assert printed.err.startswith("signalbox: ")
        return printed.err

    def add_user(self, email: str, *options: str) -> Account:
        """Run `user add`."""
        self.run("user", "add", email, "--password-stdin", *options)
        return self.account(email)

    def account(self, email: str) -> Account:
        account_and_hash = self.read_people(lambda people: people.account_by_email(email))
        assert account_and_hash is not None
        return account_and_hash[0]

    def read_people(self, query: Callable[[People], Awaitable[T]]) -> T:
        async def read() -> T:
            return await query(self.store.people)

        return asyncio.run(read())

    @property
    def audits(self) -> list[dict[str, Any]]:
        """The audits, oldest first."""
        return audits_of(self.store)[::-1]
