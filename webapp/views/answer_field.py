"""A field of an answer's form, and the options of a choice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from signalbox.store.answers.equality import is_same
from signalbox.store.answers.errors import Path
from signalbox.webapp.views.text import compact, indented

FieldKind = Literal["text", "long", "integer", "number", "boolean", "choice", "lines", "json", "group"]

FEW_OPTIONS = 6
"""A choice between more options is a menu."""

FIELD_CHARS, OPTION_CHARS = 300, 60
"""About the characters of the markup of a field and of an option."""

NO_DEFAULT = msgspec.UNSET


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of a choice. `text` is what the form sends."""

    text: str
    label: str
    value: Any


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of the form. `path` leads to its part of the value, which is `default` if nobody changes it.

    An optional field that is left empty is left out of the value, or is null if it is `nullable`.
    """

    path: Path
    kind: FieldKind
    label: str
    hint: str = ""
    required: bool = True
    nullable: bool = False
    default: Any = NO_DEFAULT
    schema: dict[str, Any] = field(default_factory=dict)
    options: Sequence[Option] = ()
    fields: Sequence[Field] = ()

    @property
    def name(self) -> str:
        """The name of the form's field: `value`, or a JSON pointer below it, such as `value/branch`.

        Characters that a page or a browser may change are written as `~x`, their number in hexadecimal, and `;`.
        """
        pointer = "/".join(["value", *(str(part).replace("~", "~0").replace("/", "~1") for part in self.path)])
        return "".join(char if char.isprintable() else f"~x{ord(char):x};" for char in pointer)

    @property
    def few(self) -> bool:
        """Whether all options are shown at once."""
        return len(self.options) <= FEW_OPTIONS

    @property
    def chars(self) -> int:
        """About the characters of the field with its markup, without those of fields in a group."""
        options = sum(len(option.text) + len(option.label) + OPTION_CHARS for option in self.options)
        text = len(self.default_text) if self.kind != "group" else 0
        return FIELD_CHARS + 3 * len(self.name) + len(self.label) + len(self.hint) + text + options

    @property
    def default_text(self) -> str:
        """The text with which the field shows its default."""
        value = self.default
        if value is NO_DEFAULT or (value is None and self.kind != "json"):
            return ""
        if self.kind == "choice":
            return next((option.text for option in self.options if is_same(option.value, value)), "")
        if self.kind == "lines" and isinstance(value, list):
            return "\n".join(map(str, value))
        return value if isinstance(value, str) and self.kind != "json" else indented(value)


def every_field(fields: Sequence[Field]) -> Iterator[Field]:
    """Yield the fields and those in groups."""
    for one in fields:
        yield one
        yield from every_field(one.fields)


def options_of(pairs: Sequence[tuple[Any, str]]) -> list[Option]:
    """Return the options of a choice. A text is sent as it is, other values as JSON, unless two would be the same.

    A text that a form would change, and a blank one, which would count as no answer, are sent as JSON too.
    """
    plain = [value if isinstance(value, str) and _is_kept(value) else compact(value) for value, _ in pairs]
    texts = plain if len(set(plain)) == len(plain) else [compact(value) for value, _ in pairs]
    return [Option(text=text, label=label, value=value) for text, (value, label) in zip(texts, pairs, strict=True)]


def _is_kept(text: str) -> bool:
    """Whether a form sends the text without a change. A browser changes line breaks and NUL."""
    return text.isprintable() and not text.isspace() and text != ""
