"""Test that a server that listens beyond loopback needs an account or a token before it starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from signalbox.store import open_store
from tests.support.people import token


def serve(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "signalbox", "serve", "--host", "0.0.0.0", "--port", "0"]
    store = ["--store", f"sqlite:///{folder}/signalbox.db"]
    return subprocess.Popen([*command, *store], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.long
def test_the_server_does_not_start_and_names_the_commands_that_help(tmp_path: Path) -> None:
    out, err = (process := serve(tmp_path)).communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert "signalbox user add" in err
    assert "signalbox token create" in err


@pytest.mark.long
def test_the_server_starts_once_a_token_exists(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/signalbox.db")
    token(store, "ci")
    store.close()
    with serve(tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Signalbox listens on http://0.0.0.0:")
        process.terminate()
        process.wait(60)
