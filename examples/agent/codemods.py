"""The agent's three rewrites of a module, written with libcst. Each counts its changes."""

from __future__ import annotations

import re
from collections import Counter

import libcst as cst
from libcst.codemod import CodemodContext
from libcst.codemod.visitors import AddImportsVisitor

FIELD = re.compile(r"%(?P<flags>[-0]*)(?P<width>\d*)(?P<precision>\.\d+)?(?P<kind>[sdrfx%])")


def refactor(source: str) -> tuple[str, Counter[str]]:
    """Return the new source and how often each rewrite applied. Raises libcst.ParserSyntaxError."""
    module, changes = cst.parse_module(source), Counter[str]()
    module = module.visit(PercentToFString(changes))
    module = module.visit(OptionalToUnion(changes))
    module = module.visit(UnusedTyping(names_in(module), changes))
    if changes["union"]:
        context = CodemodContext()
        AddImportsVisitor.add_needed_import(context, "__future__", "annotations")
        module = AddImportsVisitor(context).transform_module(module)
    return module.code, changes


class PercentToFString(cst.CSTTransformer):
    """Turns `"%s owes %.2f" % (name, sum)` into an f-string where the result is the same."""

    def __init__(self, changes: Counter[str]) -> None:
        super().__init__()
        self.changes = changes

    def leave_BinaryOperation(self, original: cst.BinaryOperation, updated: cst.BinaryOperation) -> cst.BaseExpression:
        text, values = updated.left, updated.right
        if not isinstance(updated.operator, cst.Modulo) or not isinstance(text, cst.SimpleString) or text.prefix:
            return updated
        given = [element.value for element in values.elements] if isinstance(values, cst.Tuple) else [values]
        parts = self.parts(text, given)
        if parts is None:
            return updated
        self.changes["f-string"] += 1
        return cst.FormattedString(parts=parts, start=f"f{text.quote}", end=text.quote)

    def parts(
        self, text: cst.SimpleString, given: list[cst.BaseExpression]
    ) -> list[cst.BaseFormattedStringContent] | None:
        """Return the parts of the f-string, or None if its result could differ."""
        parts: list[cst.BaseFormattedStringContent] = []
        left, at = list(given), 0
        for field in FIELD.finditer(text.raw_value):
            parts += literal(text.raw_value[at : field.start()])
            at = field.end()
            if field["kind"] == "%":
                parts += literal("%")
            elif left and embeddable(left[0], text.quote):
                parts.append(placeholder(left.pop(0), field))
            else:
                return None
        rest = text.raw_value[at:]
        return None if left or "%" in rest else [*parts, *literal(rest)]


def literal(text: str) -> list[cst.BaseFormattedStringContent]:
    return [cst.FormattedStringText(text.replace("{", "{{").replace("}", "}}"))] if text else []


def embeddable(value: cst.BaseExpression, quote: str) -> bool:
    """Return whether an expression is allowed in an f-string with these quotes in every Python 3."""
    code = cst.Module([]).code_for_node(value)
    plain = isinstance(value, cst.Name | cst.Attribute | cst.Call | cst.Subscript | cst.Integer)
    return plain and quote[0] not in code and "\\" not in code and "\n" not in code


def placeholder(value: cst.BaseExpression, field: re.Match[str]) -> cst.FormattedStringExpression:
    flags, width, precision, kind = field["flags"], field["width"], field["precision"] or "", field["kind"]
    if kind in "sr":
        align = (("<" if "-" in flags else ">") + width) if width else ""
        spec, conversion = align + precision, kind if kind == "r" or align or precision else None
    else:
        align = "<" if "-" in flags else "0" if "0" in flags else ""
        spec, conversion = f"{align}{width}{precision}{kind}", None
    return cst.FormattedStringExpression(
        value, conversion=conversion, format_spec=[cst.FormattedStringText(spec)] if spec else None
    )


class OptionalToUnion(cst.CSTTransformer):
    """Turns `Optional[X]` and `Union[X, Y]` in annotations into `X | None` and `X | Y`."""

    def __init__(self, changes: Counter[str]) -> None:
        super().__init__()
        self.changes, self.depth = changes, 0

    def visit_Annotation(self, node: cst.Annotation) -> None:
        self.depth += 1

    def leave_Annotation(self, original: cst.Annotation, updated: cst.Annotation) -> cst.Annotation:
        self.depth -= 1
        return updated

    def leave_Subscript(self, original: cst.Subscript, updated: cst.Subscript) -> cst.BaseExpression:
        name = updated.value.value if isinstance(updated.value, cst.Name) else ""
        if not self.depth or name not in ("Optional", "Union"):
            return updated
        types = [unquoted(element.slice.value) for element in updated.slice if isinstance(element.slice, cst.Index)]
        if name == "Optional":
            types.append(cst.Name("None"))
        self.changes["union"] += 1
        union = types[0]
        for other in types[1:]:
            union = cst.BinaryOperation(union, cst.BitOr(), other)
        return union


def unquoted(value: cst.BaseExpression) -> cst.BaseExpression:
    """Remove the quotes of a forward reference: with postponed evaluation they are not needed."""
    quoted = value.evaluated_value if isinstance(value, cst.SimpleString) else None
    return cst.parse_expression(quoted) if isinstance(quoted, str) else value


class UnusedTyping(cst.CSTTransformer):
    """Removes imports from `typing` that are no longer used."""

    def __init__(self, used: Counter[str], changes: Counter[str]) -> None:
        super().__init__()
        self.used, self.changes = used, changes

    def leave_ImportFrom(
        self, original: cst.ImportFrom, updated: cst.ImportFrom
    ) -> cst.ImportFrom | cst.RemovalSentinel:
        if not isinstance(updated.module, cst.Name) or updated.module.value != "typing":
            return updated
        if isinstance(updated.names, cst.ImportStar):
            return updated
        kept = [alias for alias in updated.names if alias.asname or self.used[alias.evaluated_name] > 1]
        self.changes["import"] += len(updated.names) - len(kept)
        if not kept:
            return cst.RemoveFromParent()
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return updated.with_changes(names=kept)


class Names(cst.CSTVisitor):
    """Counts the names of a module."""

    def __init__(self) -> None:
        super().__init__()
        self.found = Counter[str]()

    def visit_Name(self, node: cst.Name) -> None:
        self.found[node.value] += 1


def names_in(module: cst.Module) -> Counter[str]:
    """Count how often each name occurs in a module, its import included."""
    names = Names()
    module.visit(names)
    return names.found
