"""ES modules as one answer: a module is served with all that it imports, so that a page loads in few requests.

The sources stay small modules that a browser could load as they are; there is no build step. Each imported module
becomes a function that runs once, in the order of the imports, and gives its exports. Known are the forms that our
modules use: `import './a.js'`, `import { b, c as d } from './a.js'`, `export` before a function, class or const, and
an `export default a` that no module of ours imports. What is imported later, by `import()`, is a request of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

IMPORT = re.compile(r"^import (?:\{([^}]*)\} from )?'\./([\w-]+)\.js';\n", re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) (\w+))", re.MULTILINE)
DEFAULT = re.compile(r"^export default \w+;\n", re.MULTILINE)
OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
LATER = re.compile(r"(?<=\bimport\(')\./([\w-]+\.js)(?='\))")


def bundle(entry: Path, address: Callable[[str], str]) -> str:
    """The module `entry` with the modules that it imports; `address` gives that of a file imported later.

    Raises ValueError for modules that import each other in a circle, or in a form that is not known.
    """
    parts: dict[Path, str] = {}
    source = _linked(entry, parts, (entry,))
    return LATER.sub(lambda found: address(found[1]), "\n".join([*parts.values(), source]))


def _linked(file: Path, parts: dict[Path, str], chain: tuple[Path, ...]) -> str:
    """The source of `file` with its imports as constants. What it imports is added to `parts`."""

    def link(found: re.Match[str]) -> str:
        imported = file.with_name(f"{found[2]}.js")
        if imported in chain:
            raise ValueError(f"{file.name} imports {imported.name}, which imports it")
        if imported not in parts:
            parts[imported] = _wrapped(imported, _linked(imported, parts, (*chain, imported)))
        names = (found[1] or "").replace(" as ", ": ").strip()
        return f"const {{ {names} }} = {_name(imported)};\n" if names else ""

    source = IMPORT.sub(link, file.read_text())
    left = OTHER.search(_without_exports(source))
    if left:
        raise ValueError(f"{file.name} has a form that is not bundled: {left[0]}")
    return source


def _wrapped(file: Path, source: str) -> str:
    names = ", ".join(EXPORT.findall(source))
    return f"const {_name(file)} = (() => {{\n{_without_exports(source)}return {{ {names} }};\n}})();"


def _without_exports(source: str) -> str:
    return EXPORT.sub("", DEFAULT.sub("", source))


def _name(file: Path) -> str:
    return "$" + file.stem.replace("-", "_")
