"""Bundles an ES module with its imports into one response, so that a page loads with few requests.

The sources are modules that a browser could load as they are; there is no build step. Each imported module becomes a
function that runs once, in the order of the imports, and returns its exports. Only the forms that our modules use are
supported: `import './a.js'`, `import { b, c as d } from './a.js'`, `export` before a function, class or const, and
`export default a` if no module of ours imports it. A dynamic `import()` stays a separate request.
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

_COMMENTS = re.compile(r"^[ \t]*(?:/\*.*?\*/[ \t]*|//[^\n]*)\n", re.MULTILINE | re.DOTALL)


def without_comments(source: str) -> str:
    """Return modules or style sheets without the comments that begin a line. They are a third of what a page loads."""
    return _COMMENTS.sub("", source)


def bundle(entry: Path, address: Callable[[str], str]) -> str:
    """Return the module `entry` bundled with its imports. `address` returns the address for a dynamic import.

    Raises ValueError if modules import each other in a cycle or use an unsupported form.
    """
    parts: dict[Path, str] = {}
    source = _linked(entry, parts, (entry,))
    return LATER.sub(lambda found: address(found[1]), "\n".join([*parts.values(), source]))


def _linked(file: Path, parts: dict[Path, str], chain: tuple[Path, ...]) -> str:
    """Return the source of `file` with its imports as constants, and add the imported modules to `parts`."""

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
