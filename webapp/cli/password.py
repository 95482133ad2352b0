"""Reads a password from the terminal or standard input; other processes could read it from a command line."""

from __future__ import annotations

import sys

import click

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it twice."
)


def password_hash(from_stdin: bool) -> str:
    """Read a password and return its hash. Raises InvalidEvent if it breaks a rule for passwords."""
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
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt="Repeat the password", err=True)
    return password
