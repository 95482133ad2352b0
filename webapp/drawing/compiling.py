"""How templates are compiled: to Python code that calls functions directly and escapes each value in one step.

Jinja's own code checks before each call whether the function takes the context, and passes each value through three
functions. No function of these templates takes the context, and a page has thousands of calls and values. The methods
that are replaced here are internal to Jinja, so `pyproject.toml` limits its version.
"""

from __future__ import annotations

import re
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame, MacroRef
from jinja2.runtime import Macro
from markupsafe import Markup, escape

from signalbox.webapp.views.text import CONTROLS, clean

MAPPING_METHODS = ("get", "items")
"""Methods that the code looks up as Python does: without Jinja's search for an item of this name."""

_SPECIAL = re.compile(f"[&<>'\"{CONTROLS}]")


def shown(value: object) -> str:
    """Return a value as HTML: text is cleaned and escaped, markup is HTML already, the rest becomes text first."""
    kind = type(value)
    if kind is Markup:
        return value  # type: ignore[return-value]
    if kind is str:
        text: str = value  # type: ignore[assignment]
        return escape(clean(text)) if _SPECIAL.search(text) else text
    return escape(value)


class DirectMacro(Macro):
    """A macro. Jinja's own `__call__` handles calls that name arguments or leave some out."""

    def __call__(self, *args: Any, **named: Any) -> str:
        if named or len(args) != self._argument_count or self.caller or self.catch_kwargs or self.catch_varargs:
            return super().__call__(*args, **named)
        return Markup(self._func(*args))


class DirectCode(CodeGenerator):
    """Generates the code of templates, which always escapes, and calls without the context."""

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:
        self.writeline(f"from {__name__} import {DirectMacro.__name__}, {shown.__name__}")
        super().visit_Template(node, frame)

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:
        called = node.node
        if isinstance(called, nodes.Getattr) and called.attr in MAPPING_METHODS:
            self.visit(called.node, frame)
            self.write(f".{called.attr}(")
        else:
            self.visit(called, frame)
            self.write("(")
        for argument in (*node.args, *node.kwargs):
            self.visit(argument, frame)
            self.write(", ")
        for stars, unpacked in (("*", node.dyn_args), ("**", node.dyn_kwargs)):
            if unpacked is not None:
                self.write(stars)
                self.visit(unpacked, frame)
                self.write(", ")
        self.write("caller=caller)" if forward_caller else ")")

    def macro_def(self, macro_ref: MacroRef, frame: Frame) -> None:
        self.write("Direct")
        super().macro_def(macro_ref, frame)

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write("shown(")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        self.write(")")
