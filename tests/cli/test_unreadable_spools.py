"""Spools that cannot be read are shown with the reason: their events wait, but nobody knows for which server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from signalbox.store.spool.place import FILE_NAME, FOLDER_VARIABLE
from tests.support.command import signalbox

SERVER = "http://127.0.0.1:9"


@pytest.fixture(params=["a directory", "another file"])
def unreadable(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / "spools" / "one" / FILE_NAME
    file.parent.mkdir(parents=True)
    if request.param == "a directory":
        file.mkdir()
    else:
        file.write_bytes(b"not a database " * 100)
    return file


def test_the_list_says_why_a_spool_cannot_be_read(unreadable: Path) -> None:
    (shown,) = json.loads(signalbox("spool", "--json", **{FOLDER_VARIABLE: str(unreadable.parent.parent)}).stdout)
    assert shown["folder"] == str(unreadable.parent)
    assert shown["fault"].startswith("cannot be read: ")


@pytest.mark.parametrize("command", ["flush", "discard"])
def test_a_command_about_a_server_says_which_spool_it_left_out(unreadable: Path, command: str) -> None:
    variables = {FOLDER_VARIABLE: str(unreadable.parent.parent)}
    done = signalbox("spool", command, "--server", SERVER, **variables)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{unreadable} cannot be read: ")


def test_a_folder_of_spools_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "spools").write_text("")
    done = signalbox("spool", **{FOLDER_VARIABLE: str(tmp_path / "spools")})
    assert done.returncode == 1
    assert "the spools cannot be read" in done.stderr
