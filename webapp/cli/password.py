"""A password from a terminal or from standard input, never from the command line, where every process can read it."""

from __future__ import annotations

import sys

import click

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it twice."
)


def password_hash(from_stdin: bool) -> str:
    """What is kept of the password that is given. Raises InvalidEvent for one that cannot be used."""
    from signalbox.webapp.auth import passwords

    return passwords.hash_of(_piped() if from_stdin else _asked())


def _piped() -> str:
    try:
        return sys.stdin.readline().rstrip("\r\n")
    except UnicodeError:
        raise click.UsageError("the password on standard input is not valid text") from None


def _asked() -> str:
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask for a password: give --password-stdin")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt="The same again", err=True)
    return password
