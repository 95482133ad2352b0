"""Test that the code follows docs/architecture.md: its imports, its packages and its names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.markdown import rows, section
from tests.support.paths import ROOT

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
ALLOWED, FORBIDDEN = (
    [
        (name, set(re.findall(r"`([^`]+)`", others)))
        for names, others in rows(table)
        for name in re.findall(r"`([^`]+)`", names)
    ]
    for table in section(ARCHITECTURE, "Who imports whom").split("What each of these must never import:")
)
LOOSE = {"app", "current", "logs", "server", "settings"}
FOLDERS = ("store", "webapp", "integrations", "signalbox", "tests", "e2e", "bench", "examples", "scripts")


@cache
def modules() -> list[tuple[str, Path]]:
    """Return all modules of `signalbox`, each with its file."""
    found = []
    for package in ("store", "webapp", "integrations"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


@cache
def imports(path: Path) -> list[str]:
    """Return the modules and names that a file imports, including those inside functions and under TYPE_CHECKING."""
    return list(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.removeprefix("signalbox.") for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{name.name}".removeprefix("signalbox.") for name in node.names)


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize(("layer", "forbidden"), FORBIDDEN, ids=[layer for layer, _ in FORBIDDEN])
def test_layers_import_downwards_only(layer: str, forbidden: set[str]) -> None:
    modules_of_layer = [(name, path) for name, path in modules() if is_within(name, layer)]
    assert modules_of_layer, f"docs/architecture.md lists {layer}, which does not exist"
    broken = [
        f"{name} imports {imported}"
        for name, path in modules_of_layer
        for imported in imports(path)
        if any(is_within(imported, package) for package in forbidden)
    ]
    assert not broken


@pytest.mark.parametrize(("importer", "allowed"), ALLOWED, ids=[importer for importer, _ in ALLOWED])
def test_a_package_imports_only_what_the_docs_allow(importer: str, allowed: set[str]) -> None:
    broken = [
        f"{name} imports {imported}"
        for name, path in modules()
        if is_within(name, importer)
        for imported in imports(path)
        if imported.startswith("webapp.")
        and imported != "webapp.__version__"
        and not any(is_within(imported, package) for package in {importer, *allowed})
    ]
    assert not broken


@pytest.mark.parametrize("level", ["modules", "packages"])
def test_there_are_no_import_cycles(level: str) -> None:
    known = dict(modules())

    def node_of(name: str) -> str:
        return name if level == "modules" else ".".join(name.split(".")[:2])

    graph: dict[str, set[str]] = {}
    for name, path in known.items():
        for imported in imports(path):
            module = imported if imported in known else imported.rpartition(".")[0]
            if module in known and node_of(module) != node_of(name):
                graph.setdefault(node_of(name), set()).add(node_of(module))
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_the_store_never_imports_the_web() -> None:
    assert ("store", "webapp") in {(layer, package) for layer, forbidden in FORBIDDEN for package in forbidden}


def test_only_modules_that_assemble_the_app_lie_outside_packages() -> None:
    loose = {path.stem for path in (ROOT / "webapp").glob("*.py")} - {"__init__"}
    assert loose == LOOSE


def test_every_test_lies_in_the_folder_of_its_package() -> None:
    loose = [path.name for path in (ROOT / "tests").glob("*.py") if path.name != "conftest.py"]
    assert not loose, "tests/ has a folder for each package"


@pytest.mark.long
def test_replaced_names_are_not_used_again() -> None:
    coined = {"shelf", "Stretch", "beside", "BesideTheLog", "voice", "silence", "rests", "packing", "retrying"}
    coined |= {"ranks", "march", "arrived", "ahead", "thinned", "told", "past"}
    assert not {name for name, _ in modules()} & {"webapp.live.waiting", "webapp.auth.way", "webapp.process.again"}
    mentioned = re.compile(rf"\b_*(?:{'|'.join(coined)})_*\b")
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            names = {path.stem}
            if not mentioned.search(f"{path.stem} {path.read_text()}"):
                continue  # Parsing all files would take seconds.
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    names.add(node.name)
                elif isinstance(node, ast.Attribute):
                    names.add(node.attr)
            used = coined & {name.strip("_") for name in names}
            assert not used, f"{path.relative_to(ROOT)} uses coined names ({used}); take the field's terms"


@pytest.mark.long
def test_class_names_are_unique() -> None:
    places: dict[str, list[str]] = {}
    for name, path in modules():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(name)
    assert not {name: found for name, found in places.items() if len(found) > 1}


def test_nothing_imports_the_folders_by_their_own_names() -> None:
    own = re.compile(r"^\s*(?:from|import) (?:store|webapp|integrations)\b", re.M)
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            match = own.search(path.read_text())
            assert not match, f"{path.relative_to(ROOT)} has {match and match[0]!r}: the import name is signalbox"


def test_the_docs_list_every_module() -> None:
    documented = {
        name.removesuffix(".py").strip("/").replace("/", ".") for name in re.findall(r"`([^`]+)`", ARCHITECTURE)
    }
    names = {name for name, _ in modules()} - {"store", "webapp", "integrations"}
    undocumented = [
        name for name in sorted(names) if not any(is_within(name, package) for package in documented if "." in package)
    ]
    assert not undocumented, "docs/architecture.md does not mention these modules"


def test_every_address_on_a_page_begins_with_the_path_prefix() -> None:
    addresses = re.compile(
        r"""(?:="|= "|fetch\([`']|assign\([`'])/(?:tasks|live|compare|login|logout|account|audits|permissions|views"""
        r"""|selection|demo|api|sse|ws|static|search|kinds)\b"""
    )
    pages = (ROOT / "webapp" / "templates").rglob("*.html")
    scripts = (ROOT / "webapp" / "static" / "js").glob("*.js")
    for path in (*pages, *scripts):
        match = addresses.search(re.sub(r"(?s)/\*.*?\*/|\{#.*?#\}", "", path.read_text()))
        assert not match, f"{path.name} has {match and match[0]}: begin with {{{{ root }}}}, or `root` of root-path.js"


def test_browser_modules_have_fewer_than_100_lines() -> None:
    copied = {"EventStreamService.js", "ConnectionStatus.js"}  # Other projects copy these as single files.
    scripts = (ROOT / "webapp" / "static" / "js").glob("*.js")
    lengths = {path.name: len(path.read_text().splitlines()) for path in scripts if path.name not in copied}
    assert not {name: lines for name, lines in lengths.items() if lines >= 100}


def test_every_redirect_has_the_path_prefix() -> None:
    for path in (ROOT / "webapp").rglob("*.py"):
        match = re.search(r"""(?:redirect|back|came_from)\(f?["']/""", path.read_text())
        assert not match, f"{path.name} has {match and match[0]}: write at_root(…)"
