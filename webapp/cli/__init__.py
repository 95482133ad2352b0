"""The command `signalbox` and its exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from signalbox.store import InvalidEvent, StoreError, UnknownStoreKind
from signalbox.webapp import __version__
from signalbox.webapp.cli.answer import answer
from signalbox.webapp.cli.artifact import artifact
from signalbox.webapp.cli.backup import backup
from signalbox.webapp.cli.cold import cold
from signalbox.webapp.cli.demo import demo
from signalbox.webapp.cli.doctor import doctor
from signalbox.webapp.cli.emit import emit
from signalbox.webapp.cli.erase import erase
from signalbox.webapp.cli.heads import heads
from signalbox.webapp.cli.hold import hold
from signalbox.webapp.cli.hook import hook
from signalbox.webapp.cli.hooks import hooks
from signalbox.webapp.cli.import_ import import_
from signalbox.webapp.cli.mcp import mcp
from signalbox.webapp.cli.migrate_store import migrate_store
from signalbox.webapp.cli.project import project
from signalbox.webapp.cli.relay import relay
from signalbox.webapp.cli.run import run
from signalbox.webapp.cli.search_index import search_index
from signalbox.webapp.cli.serve import serve
from signalbox.webapp.cli.spool import spool
from signalbox.webapp.cli.standard_streams import open_standard_streams, replace_unencodable_characters
from signalbox.webapp.cli.tail import tail
from signalbox.webapp.cli.target import message_of
from signalbox.webapp.cli.token import token
from signalbox.webapp.cli.user import user
from signalbox.webapp.cli.vacuum import vacuum_command
from signalbox.webapp.cli.verify import verify
from signalbox.webapp.process.notice import notice
from signalbox.webapp.settings import InvalidSetting

BAD_INPUT, FAILED, INTERRUPTED, BROKEN_PIPE = 2, 1, 130, 141


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="signalbox %(version)s")
def cli() -> None:
    """A live console for long-running task runs."""


for command in (
    serve,
    run,
    relay,
    emit,
    artifact,
    answer,
    hold,
    tail,
    spool,
    import_,
    hook,
    hooks,
    demo,
    doctor,
    mcp,
    backup,
    verify,
    heads,
    erase,
    cold,
    search_index,
    migrate_store,
    vacuum_command,
    user,
    token,
    project,
):
    cli.add_command(command)


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
    except (InvalidEvent, UnknownStoreKind, InvalidSetting) as error:
        notice(str(error))
        return BAD_INPUT
    except BrokenPipeError:
        # Python flushes stdout once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except StoreError as error:
        notice(message_of(error))
        return FAILED
    except OSError as error:
        notice(str(error))
        return FAILED
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
