"""Test that a command loads only what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from signalbox.webapp.cli import cli
from signalbox.webapp.cli.commands import MODULES
from tests.support.paths import ROOT
from tests.support.reporting import run_program


def test_every_command_has_its_module() -> None:
    assert {name: command.name for name, command in cli.commands.items()} == {name: name for name in MODULES}
    files = {path.stem: path.read_text() for path in (ROOT / "webapp" / "cli").glob("*.py")}
    modules = {name for name, text in files.items() if "@click.command" in text or "@click.group" in text}
    assert modules - {"__init__", "import_junit", "import_transcripts"} == set(MODULES.values())


def test_a_short_command_loads_no_other_command_and_nothing_that_takes_long(tmp_path: Path) -> None:
    done = run_program(
        """
        import sys
        from signalbox.webapp.cli import run_command_line
        run_command_line(["emit", "task", "log"])
        slow = ("httpx", "structlog", "quart", "jinja2", "xml", "signalbox.webapp.settings", "signalbox.webapp.cli.run")
        print([name for name in slow if name in sys.modules])
        """,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines()[1:] == ["[]"], done.stderr


def test_garbage_is_collected_once_a_command_has_been_loaded(tmp_path: Path) -> None:
    done = run_program(
        """
        import atexit, gc, sys
        from signalbox.__main__ import main
        sys.argv = ["signalbox", "emit", "task", "log"]
        atexit.register(lambda: print(gc.isenabled()))
        main()
        """,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines()[1:] == ["True"], done.stderr


@pytest.mark.long
def test_garbage_is_collected_once_a_server_has_started(tmp_path: Path) -> None:
    done = run_program(
        """
        import gc, os, signal, sys
        from signalbox.__main__ import main
        from signalbox.webapp import server
        def announce(*address):
            print(gc.isenabled(), flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
        server.announce = announce
        sys.argv = ["signalbox", "serve", "--port", "0"]
        main()
        """,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines() == ["True"], done.stderr
