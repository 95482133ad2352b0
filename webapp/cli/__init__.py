"""The command `signalbox` and its exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from signalbox.webapp.cli.commands import Commands
from signalbox.webapp.cli.standard_streams import open_standard_streams, replace_unencodable_characters
from signalbox.webapp.process.notice import notice

BAD_INPUT, FAILED, INTERRUPTED, BROKEN_PIPE = 2, 1, 130, 141


@click.group(commands=Commands(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="signalbox-console", message="signalbox %(version)s")
def cli() -> None:
    """A live console for long-running task runs."""


def main() -> None:
    """Run the command line and exit. An error is printed as one line, never as a stack trace."""
    open_standard_streams()
    replace_unencodable_characters()
    sys.exit(run_command_line(sys.argv[1:]))


def run_command_line(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code: 2 for a usage error, 1 for a failure."""
    try:
        with cli.make_context("signalbox", list(arguments) or ["--help"]) as context:
            code = cli.invoke(context)
        sys.stdout.flush()
        return code or 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.UsageError as error:
        help_at = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        notice(f"{error.format_message()}{help_at}")
        return BAD_INPUT
    except click.ClickException as error:
        notice(error.format_message())
        return error.exit_code
    except BrokenPipeError:
        # Python flushes stdout once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception as error:
        code = _code_of(error)
        if code is None:
            raise
        return code


def _code_of(error: Exception) -> int | None:
    """Print the message of an expected error and return its exit code; None for another error."""
    from signalbox.store import InvalidEvent, StoreError, UnknownStoreKind
    from signalbox.webapp.cli.target import message_of
    from signalbox.webapp.settings import InvalidSetting

    if isinstance(error, (InvalidEvent, UnknownStoreKind, InvalidSetting)):
        notice(str(error))
        return BAD_INPUT
    if isinstance(error, (StoreError, OSError)):
        notice(message_of(error) if isinstance(error, StoreError) else str(error))
        return FAILED
    return None
