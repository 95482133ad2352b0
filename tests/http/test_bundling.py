"""A module is served with all that it imports, so that a page loads in few requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from signalbox.webapp.http.assets import ROOT, load
from signalbox.webapp.http.bundling import bundle
from tests.support.server import Server


def written(folder: Path, **sources: str) -> Path:
    """Modules by their names; gives the path of the one named entry."""
    for name, source in sources.items():
        (folder / f"{name}.js").write_text(source)
    return folder / "entry.js"


def test_what_several_import_is_there_once_and_runs_before_them(tmp_path: Path) -> None:
    entry = written(
        tmp_path,
        entry="import './first.js';\nimport {\n  two,\n  one as uno,\n} from './second.js';\nexport class Entry {}\n",
        first="import { a } from './shared.js';\na();\n",
        second="import { a as b } from './shared.js';\nexport const one = b;\nexport const two = 2;\n",
        shared="export async function a() {}\nexport default a;\n",
    )
    assert bundle(entry, str).split("\n") == [
        "const $shared = (() => {",
        "async function a() {}",
        "return { a };",
        "})();",
        "const $first = (() => {",
        "const { a } = $shared;",
        "a();",
        "return {  };",
        "})();",
        "const $second = (() => {",
        "const { a: b } = $shared;",
        "const one = b;",
        "const two = 2;",
        "return { one, two };",
        "})();",
        "const { two,",
        "  one: uno, } = $second;",
        "export class Entry {}",
        "",
    ]


def test_what_is_imported_later_has_the_address_of_its_content(tmp_path: Path) -> None:
    entry = written(tmp_path, entry="on('key', () => import('./later.js'));\n", later="export const a = 1;\n")
    assert bundle(entry, lambda name: f"/at/{name}?v=1") == "on('key', () => import('/at/later.js?v=1'));\n"


@pytest.mark.parametrize(
    "line", ["import a from './b.js';", "import * as b from './b.js';", "export { a };", "export default class A {}"]
)
def test_a_form_that_is_not_known_is_refused(tmp_path: Path, line: str) -> None:
    entry = written(tmp_path, entry=f"{line}\n", b="export const a = 1;\n")
    with pytest.raises(ValueError, match=r"entry\.js has a form that is not bundled"):
        bundle(entry, str)


def test_a_circle_is_refused(tmp_path: Path) -> None:
    entry = written(tmp_path, entry="import './b.js';\n", b="import './entry.js';\n")
    with pytest.raises(ValueError, match=r"b\.js imports entry\.js, which imports it"):
        bundle(entry, str)


def test_every_module_is_served_whole(server: Server) -> None:
    for file in (ROOT / "js").glob("*.js"):
        text = server.get(f"/static/js/{file.name}").text
        assert text.encode() == load(f"js/{file.name}").body
        assert "from './" not in text
        assert "import './" not in text


def test_an_entry_changes_its_address_with_what_it_imports(tmp_path: Path) -> None:
    entry = written(tmp_path, entry="import { a } from './b.js';\na();\n", b="export const a = () => 1;\n")
    before = bundle(entry, str)
    written(tmp_path, b="export const a = () => 2;\n")
    assert bundle(entry, str) != before
