"""Test that templates are compiled once for all processes, and again when something that decides the code changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment

from signalbox.webapp.drawing.compiled_templates import CompiledTemplates
from signalbox.webapp.drawing.compiling import DirectCode


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr("sys.pycache_prefix", str(tmp_path))
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    return tmp_path


class CountingEnvironment(Environment):
    code_generator_class = DirectCode
    compilations = 0

    def compile(self, *arguments: object, **named: object) -> object:  # type: ignore[override]
        type(self).compilations += 1
        return super().compile(*arguments, **named)  # type: ignore[call-overload]


def compilations(source: str = "{{ 1 }} {{ a }}", options: str = "a") -> int:
    """Render a template as a new process does. Return how many templates it compiled."""
    before = CountingEnvironment.compilations
    environment = CountingEnvironment(
        loader=DictLoader({"page.html": source}), bytecode_cache=CompiledTemplates(options), autoescape=True
    )
    assert environment.get_template("page.html").render(a="<").startswith("1")
    return CountingEnvironment.compilations - before


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_only_the_first_process_compiles_a_template() -> None:
    assert [compilations(), compilations()] == [1, 0]


def test_a_changed_template_or_compiler_is_compiled_again_in_the_same_file(folder: Path) -> None:
    assert [compilations(), compilations("1{{ a }}"), compilations("1{{ a }}", options="b")] == [1, 1, 1]
    assert len(files(folder)) == 1


def test_a_file_that_was_cut_off_is_compiled_again(folder: Path) -> None:
    compilations()
    (file,) = files(folder)
    for size in (0, 10, file.stat().st_size - 5):
        file.write_bytes(file.read_bytes()[:size])
        assert compilations() == 1


def test_nothing_is_written_where_python_writes_no_compiled_modules(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    assert [compilations(), compilations()] == [1, 1]
    assert files(folder) == []


def test_a_folder_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("sys.pycache_prefix", str(tmp_path / "file"))
    assert [compilations(), compilations()] == [1, 1]
