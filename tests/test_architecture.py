"""Who imports whom, as docs/architecture.md says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.markdown import rows, section

ROOT = Path(__file__).parent.parent
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
RULES = [
    (who, set(re.findall(r"`([^`]+)`", forbidden)))
    for whose, forbidden in rows(section(ARCHITECTURE, "Who imports whom"))
    for who in re.findall(r"`([^`]+)`", whose)
]


def modules() -> Iterator[tuple[str, Path]]:
    """All modules of the product, each with its file."""
    for package in ("store", "webapp"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[str]:
    """The modules and names that a file imports, also within its functions; not what only type checkers see."""
    tree = ast.parse(path.read_text())
    unseen = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize(("who", "forbidden"), RULES, ids=[who for who, _ in RULES])
def test_layers_import_downwards_only(who: str, forbidden: set[str]) -> None:
    mine = [(name, path) for name, path in modules() if within(name, who)]
    assert mine, f"docs/architecture.md speaks of {who}, which is not there"
    broken = [
        f"{name} imports {imported}"
        for name, path in mine
        for imported in imports(path)
        if any(within(imported, package) for package in forbidden)
    ]
    assert not broken


def test_the_store_never_imports_the_web() -> None:
    assert ("store", "webapp") in {(who, package) for who, forbidden in RULES for package in forbidden}


def test_the_docs_tell_where_every_module_is() -> None:
    told = {name.removesuffix(".py").strip("/").replace("/", ".") for name in re.findall(r"`([^`]+)`", ARCHITECTURE)}
    names = {name for name, _ in modules()} - {"store", "webapp"}
    untold = [name for name in sorted(names) if not any(within(name, one) for one in told if "." in one)]
    assert not untold, "docs/architecture.md does not tell where these are"


def test_every_address_on_a_page_begins_with_the_path_prefix() -> None:
    addresses = re.compile(
        r"""(?:="|= "|fetch\([`']|assign\([`'])/(?:tasks|live|compare|login|logout|account|audits|permissions|views"""
        r"""|selection|demo|api|sse|ws|static|search|kinds)\b"""
    )
    pages = (ROOT / "webapp" / "templates").rglob("*.html")
    scripts = (ROOT / "webapp" / "static" / "js").glob("*.js")
    for path in (*pages, *scripts):
        found = addresses.search(re.sub(r"(?s)/\*.*?\*/|\{#.*?#\}", "", path.read_text()))
        assert not found, f"{path.name} has {found and found[0]}: begin with {{{{ root }}}} or with root of root.js"


def test_every_redirect_has_the_path_prefix() -> None:
    for path in (ROOT / "webapp").rglob("*.py"):
        found = re.search(r"""(?:redirect|back|came_from)\(f?["']/""", path.read_text())
        assert not found, f"{path.name} has {found and found[0]}: write at_root(…)"
