"""A module is served as one file with its imports, so that a page loads in few requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from signalbox.webapp.http.assets import ROOT, load
from signalbox.webapp.http.bundling import bundle, without_comments
from tests.support.server import Server


def write_modules(folder: Path, **sources: str) -> Path:
    """Write one module per keyword argument; return the path of the module `entry`."""
    for name, source in sources.items():
        (folder / f"{name}.js").write_text(source)
    return folder / "entry.js"


def test_a_shared_import_is_included_once_and_runs_first(tmp_path: Path) -> None:
    entry = write_modules(
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


def test_a_dynamic_import_has_a_versioned_url(tmp_path: Path) -> None:
    entry = write_modules(tmp_path, entry="on('key', () => import('./later.js'));\n", later="export const a = 1;\n")
    assert bundle(entry, lambda name: f"/at/{name}?v=1") == "on('key', () => import('/at/later.js?v=1'));\n"


@pytest.mark.parametrize(
    "line", ["import a from './b.js';", "import * as b from './b.js';", "export { a };", "export default class A {}"]
)
def test_an_unsupported_import_or_export_form_is_refused(tmp_path: Path, line: str) -> None:
    entry = write_modules(tmp_path, entry=f"{line}\n", b="export const a = 1;\n")
    with pytest.raises(ValueError, match=r"entry\.js has a form that is not bundled"):
        bundle(entry, str)


def test_an_import_cycle_is_refused(tmp_path: Path) -> None:
    entry = write_modules(tmp_path, entry="import './b.js';\n", b="import './entry.js';\n")
    with pytest.raises(ValueError, match=r"b\.js imports entry\.js, which imports it"):
        bundle(entry, str)


def test_every_module_is_served_with_its_imports(server: Server) -> None:
    for file in (ROOT / "js").glob("*.js"):
        text = server.get(f"/static/js/{file.name}").text
        assert text.encode() == load(f"js/{file.name}").body
        assert "from './" not in text
        assert "import './" not in text


def test_a_bundle_changes_with_its_imports(tmp_path: Path) -> None:
    entry = write_modules(tmp_path, entry="import { a } from './b.js';\na();\n", b="export const a = () => 1;\n")
    before = bundle(entry, str)
    write_modules(tmp_path, b="export const a = () => 2;\n")
    assert bundle(entry, str) != before


def test_comments_that_begin_a_line_are_not_served() -> None:
    source = "/**\n * what\n */\nconst a = 'https://x'; // stays\n  // goes\n  /* goes */\nconst b = `/* stays */`;\n"
    assert without_comments(source) == "const a = 'https://x'; // stays\nconst b = `/* stays */`;\n"
    for path in ("js/page.js", "css/app.css"):
        assert b"\n/*" not in load(path).body
