"""Test the built wheel, installed next to a program that has its own packages `store` and `webapp`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.paths import ROOT
from tests.support.server import READY

SOURCES = ("LICENSE", "README.md", "pyproject.toml", "signalbox", "store", "webapp", "integrations")
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, f'build_{sys.argv[1]}')(sys.argv[2])"

PROGRAM = """
import importlib
import sys
from contextlib import closing

from signalbox import NewEvent, RemoteLog, open_store, open_task

# By name, as no file of this repository may import those two folders directly.
store, webapp = map(importlib.import_module, ("store", "webapp"))
assert (store.OWN, webapp.OWN) == ("the program's store", "the program's webapp")
path, server = sys.argv[1:]
with closing(open_store(path)) as log:
    with open_task(log, "nightly", title="Nightly") as task:
        task.log("from a program with a store of its own")
with closing(RemoteLog(server)) as remote:
    with open_task(remote, "nightly", title="Nightly"):
        remote.append("nightly", [NewEvent(event_type="log", payload={"message": "and over HTTP"})])
"""

HEAVY = ("quart", "jinja2", "httpx", "uvicorn", "flask", "werkzeug", "argon2")


def run(*command: str | Path, cwd: Path) -> str:
    """Return the output of a command. The command must succeed and does not find this checkout on its path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SIGNALBOX_", "PYTHON"))}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_of(folder: Path) -> set[str]:
    """Return every file that a package of this folder must contain."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the source distribution and return its path."""
    folder = tmp_path_factory.mktemp("built")
    sources = folder / "sources"
    sources.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, sources / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, sources / name)
    run(sys.executable, "-c", BUILD, "sdist", folder, cwd=sources)
    (sdist,) = folder.glob("signalbox_console-*.tar.gz")
    run("tar", "-xf", sdist, cwd=folder)
    run(sys.executable, "-c", BUILD, "wheel", folder, cwd=folder / sdist.name.removesuffix(".tar.gz"))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create an environment with the wheel and its dependencies, without this checkout; return its `bin` folder."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    paths = sysconfig.get_paths(scheme="venv", vars={"base": str(folder), "platbase": str(folder)})
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", f"--python={folder}/bin/python")
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", "--no-compile", wheel, cwd=folder)
    # A `.pth` file in a folder that was itself added by a `.pth` file is ignored, so the editable checkout stays out.
    (Path(paths["purelib"]) / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    return folder / "bin"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Create a folder with a program that has its own packages `store` and `webapp`."""
    for name in ("store", "webapp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f'OWN = "the program\'s {name}"\n')
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


@pytest.fixture
def url(installed: Path, tmp_path: Path) -> Iterator[str]:
    """Start a server from the wheel and return its address."""
    command = [installed / "signalbox-console", "serve", "--port", "0", "--store", f"sqlite:///{tmp_path}/served.db"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if ready := READY.search(line):
                break
        else:
            raise AssertionError("".join(lines))
        yield ready.group(1)
        process.terminate()


@pytest.mark.long
def test_a_wheel_puts_nothing_but_signalbox_at_the_top_level(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    information = wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info"
    assert tops == {"signalbox", information}
    assert {name for name in names if name.startswith(f"{information}/licenses/")} >= {
        f"{information}/licenses/LICENSE",
        f"{information}/licenses/webapp/static/vendor/LICENSE-htmx",
    }


def test_a_wheel_built_from_the_source_distribution_has_every_file_of_the_checkout(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    folders = ("store", "webapp", "integrations")
    expected = {f"signalbox/{name}" for folder in folders for name in files_of(Path(folder))}
    assert len(expected) > 300
    assert expected | {"signalbox/__init__.py", "signalbox/__main__.py", "signalbox/py.typed"} <= names
    assert {name for name in names if name.startswith("signalbox/")} - expected == {
        "signalbox/__init__.py",
        "signalbox/__main__.py",
        "signalbox/py.typed",
    }


@pytest.mark.long
def test_a_program_with_its_own_store_and_webapp_emits_to_a_file_and_to_a_server(
    installed: Path, program: Path, url: str
) -> None:
    run(installed / "python", "program.py", f"sqlite:///{program}/emitted.db", url, cwd=program)
    output = run(installed / "signalbox", "tail", "nightly", "--store", f"sqlite:///{program}/emitted.db", cwd=program)
    assert "from a program with a store of its own" in output

    page = httpx.get(f"{url}/tasks/nightly")
    assert page.status_code == 200
    assert "and over HTTP" in page.text
    assert httpx.get(f"{url}/static/vendor/htmx.min.js").status_code == 200


@pytest.mark.parametrize("command", [["signalbox"], ["signalbox-console"], ["python", "-m", "signalbox"]])
def test_every_command_of_a_wheel_prints_its_version(installed: Path, program: Path, command: list[str]) -> None:
    output = run(installed / command[0], *command[1:], "--version", cwd=program)
    assert output.startswith("signalbox ")


def test_importing_signalbox_loads_no_server_and_no_http_client(installed: Path, tmp_path: Path) -> None:
    names = run(
        installed / "python",
        "-c",
        "import sys, signalbox; print(*sorted(m for m in sys.modules if '.' not in m), signalbox.__file__)",
        cwd=tmp_path,
    ).split()
    assert not set(HEAVY) & set(names)
    assert str(ROOT) not in names[-1]
