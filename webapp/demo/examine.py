"""Examines one module: hashes, tokenises, parses, compiles and unparses it, and parses the result."""

from __future__ import annotations

import ast
import hashlib
import io
import re
import signal
import symtable
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path

import msgspec

BRANCHES = (ast.If, ast.For, ast.While, ast.ExceptHandler, ast.IfExp, ast.BoolOp, ast.comprehension, ast.Assert)
REMARK = re.compile(r"\b(?:TODO|FIXME|XXX)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


class ModuleReport(msgspec.Struct, frozen=True):
    """The result of examining one module."""

    sha256: str
    size: int
    lines: int = 0
    broken: bool = False
    tokens: int = 0
    names: int = 0
    functions: int = 0
    classes: int = 0
    undocumented: int = 0
    bare_excepts: int = 0
    remarks: int = 0
    longest: str = ""
    longest_lines: int = 0
    most_branches: int = 0
    round_trips: bool = True


def prepare_worker() -> None:
    """Initialise a worker process: ignore Ctrl-C, because the run stops its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def examine(path: Path) -> ModuleReport:
    """Examine one module. Raises SyntaxError or ValueError if it is not valid Python."""
    data = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(data, str(path))
        compile(tree, str(path), "exec", dont_inherit=True)
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
        tokens = list(tokenize.tokenize(io.BytesIO(data).readline))
        table = symtable.symtable(text, str(path), "exec")
        again = ast.parse(ast.unparse(tree))
    nodes = list(ast.walk(tree))
    functions = [node for node in nodes if isinstance(node, Function)]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    longest = max(functions, key=_length, default=None)
    return ModuleReport(
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        lines=data.count(b"\n"),
        tokens=len(tokens),
        names=sum(len(scope.get_symbols()) for scope in _scopes(table)),
        functions=len(functions),
        classes=len(classes),
        undocumented=sum(ast.get_docstring(node, clean=False) is None for node in (*functions, *classes)),
        bare_excepts=sum(isinstance(node, ast.ExceptHandler) and node.type is None for node in nodes),
        remarks=sum(token.type == tokenize.COMMENT and bool(REMARK.search(token.string)) for token in tokens),
        longest=longest.name if longest else "",
        longest_lines=_length(longest) if longest else 0,
        most_branches=max((_branches(function) for function in functions), default=0),
        round_trips=ast.dump(tree) == ast.dump(again),
    )


class Recount(msgspec.Struct, frozen=True):
    """Counts from a second, different reading of a module."""

    sha256: str
    lines: int = 0
    functions: int = 0
    classes: int = 0


def recount(path: Path) -> Recount:
    """Count a module's functions and classes by its keywords, without parsing it. Raises SyntaxError."""
    data = path.read_bytes()
    words = [token.string for token in tokenize.tokenize(io.BytesIO(data).readline) if token.type == tokenize.NAME]
    return Recount(
        sha256=hashlib.sha256(data).hexdigest(),
        lines=data.count(b"\n"),
        functions=words.count("def"),
        classes=words.count("class"),
    )


def _length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _branches(function: Function) -> int:
    return sum(isinstance(node, BRANCHES) for node in ast.walk(function))


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _scopes(child)
