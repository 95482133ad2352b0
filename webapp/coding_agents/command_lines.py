"""Splits the command line of a shell into simple commands, so that rules can match each of them.

    git status && rm -rf /        two commands: `git status` and `rm -rf /`
    git log "$(curl example.org)" not plain: the shell would run another command first

This is no complete parser of a shell. It errs on the side of "not plain": a command line with a construct whose effect
is not visible in its words is never matched by a rule that allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

KEYWORDS = frozenset(
    (
        *("!", "[[", "{", "}", "if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done"),
        *("case", "esac", "select", "function", "coproc", "time", "in"),
    )
)
"""Words that begin a compound command of a POSIX shell, bash or zsh."""

RUNNERS = frozenset(
    (
        *("sudo", "doas", "env", "command", "builtin", "exec", "nohup", "nice", "time", "timeout", "setsid", "stdbuf"),
        *("xargs", "then", "do", "else", "if", "elif", "while", "until", "!", "{"),
    )
)
"""Words after which another command begins. Rules that deny or ask also look at that command."""

SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "fish"})
"""Programs that run the command line after `-c`."""

MAX_DEPTH = 4
"""Command lines within command lines that are looked at."""

MAX_CHARS = 100_000
_HARMLESS_TARGETS = frozenset({"/dev/null", "&1", "&2"})


@dataclass(frozen=True)
class ShellLine:
    """The simple commands of a command line, each as its words without quotes.

    `plain` says that these words are everything that the shell does: no substitution, redirection to a file,
    assignment, group or keyword.
    """

    commands: tuple[tuple[str, ...], ...]
    plain: bool


def command_line(text: str) -> ShellLine:
    """Read a command line. One that cannot be read, such as one with an open quote, is not plain."""
    return _Reader(text[:MAX_CHARS], plain=len(text) <= MAX_CHARS).read()


def started_by(words: tuple[str, ...], depth: int = 0) -> Iterator[tuple[str, int]]:
    """Yield the command and those that it starts: `sudo sh -c "rm -rf /"` also starts `rm -rf /`.

    Each is the text of the whole command and the place in it at which the started one begins, so that the many commands
    of a long line cost no copies. The name of a program is also given without its folder.
    """
    text, places = " ".join(words), list(accumulate((len(word) + 1 for word in words), initial=0))
    found: dict[int, None] = {}
    nested: list[str] = []
    at = 0
    while True:
        while at < len(words) and _is_assignment(words[at]):
            at += 1
        if at >= len(words):
            break
        found[places[at]] = None
        name = words[at].rpartition("/")[2]
        if name:
            found[places[at + 1] - 1 - len(name)] = None
        if name in SHELLS:
            option = next((one for one in range(at, len(words)) if _runs_a_line(words[one])), len(words))
            nested += words[option + 1 : option + 2]
        if name == "eval":
            nested.append(" ".join(words[at + 1 :]))
        if name not in RUNNERS:
            break
        at += 1
        # Options of the runner and their values: each word may begin the command.
        found.update(dict.fromkeys(places[at + 1 : min(len(words), at + 8)]))
    yield from ((text, place) for place in found)
    if depth < MAX_DEPTH:
        for line in nested:
            for command in command_line(line).commands:
                yield from started_by(command, depth + 1)


def _runs_a_line(word: str) -> bool:
    return word.startswith("-") and word.endswith("c")


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.rstrip("+").replace("_", "a").isalnum() and not name[0].isdigit()


class _Reader:
    def __init__(self, text: str, *, plain: bool) -> None:
        self._text, self._plain = text, plain
        self._commands: list[tuple[str, ...]] = []
        self._words: list[str] = []
        self._word: list[str] | None = None
        self._target = False
        self._end = 0
        self._nested: list[tuple[int, int]] = []

    def read(self) -> ShellLine:
        text = self._text
        spans = [(0, len(text))]
        # Not by recursion, because substitutions may be nested as deeply as the line is long.
        while spans:
            at, self._end = spans.pop()
            while at < self._end:
                at = self._step(text, at)
            self._end_command()
            spans += self._nested
            self._nested = []
        return ShellLine(tuple(self._commands), self._plain)

    def _step(self, text: str, at: int) -> int:
        char = text[at]
        if char == "'":
            end = text.find("'", at + 1, self._end)
            return self._quoted(text[at + 1 : end], end)
        if char == '"':
            return self._double(text, at + 1)
        if char == "\\":
            # A backslash before a line break joins two lines.
            if self._next(at) == "\n":
                return at + 2
            self._plain = self._plain and at + 1 < self._end
            self._add(self._next(at))
            return at + 2
        if char in " \t":
            self._end_word()
            return at + 1
        if char == "#" and self._word is None:
            self._plain = False
            end = text.find("\n", at, self._end)
            return end if end >= 0 else self._end
        if char in "$`":
            return self._substitution(text, at)
        if char in "<>" or (char == "&" and self._next(at) == ">"):
            return self._redirection(text, at)
        if char in ";|&\n\r":
            self._end_command()
            return at + 1
        if char in "()":
            self._plain = False
            self._end_command()
            return at + 1
        if char == "{":
            # `{rm,-rf,/}` becomes three words.
            self._plain = False
        self._add(char)
        return at + 1

    def _quoted(self, inner: str, end: int) -> int:
        if end < 0:
            self._plain = False
            return self._end
        self._add(inner)
        return end + 1

    def _double(self, text: str, at: int) -> int:
        self._add("")
        while at < self._end and text[at] != '"':
            if text[at] == "\\" and self._next(at) in ('"', "\\", "$", "`"):
                at += 1
            elif text[at] in "$`":
                at = self._substitution(text, at)
                continue
            self._add(text[at])
            at += 1
        self._plain = self._plain and at < self._end
        return at + 1

    def _substitution(self, text: str, at: int) -> int:
        # The commands inside are read as further commands, so that rules that deny them match.
        self._plain = False
        if text[at] == "`" or self._next(at) == "(":
            inner = at + (1 if text[at] == "`" else 2)
            end = text.find("`" if text[at] == "`" else ")", inner, self._end)
            self._nested.append((inner, end if end >= 0 else self._end))
            self._add("$")
            return end + 1 if end >= 0 else self._end
        self._add("$")
        return at + 1

    def _redirection(self, text: str, at: int) -> int:
        if self._word is not None and "".join(self._word).isdigit():
            self._word = None
        self._end_word()
        if text[at : at + 2] in ("<(", ">("):
            self._plain = False
            return at + 1
        end = at + 1
        while end < self._end and text[end] in "<>&|":
            end += 1
        # `2>&1` keeps its ampersand, which is part of the target.
        if text[end - 1] == "&" and end - at > 1 and text[end - 2] in "<>":
            end -= 1
        if text[at:end] not in ("<", ">", ">>", "&>", "&>>"):
            self._plain = False
        self._target = True
        if self._next(end - 1) == "&":
            self._add("&")
            return end + 1
        while self._next(end - 1) in (" ", "\t"):
            end += 1
        return end

    def _next(self, at: int) -> str:
        """Return the character after the place `at`, or "" at the end."""
        return self._text[at + 1] if at + 1 < self._end else ""

    def _add(self, text: str) -> None:
        if self._word is None:
            self._word = []
        self._word.append(text)

    def _end_word(self) -> None:
        if self._word is None:
            return
        word, self._word = "".join(self._word), None
        if self._target:
            self._target = False
            self._plain = self._plain and word in _HARMLESS_TARGETS
            return
        if not self._words and (word in KEYWORDS or _is_assignment(word) or not word or any(map(str.isspace, word))):
            self._plain = False
        self._words.append(word)

    def _end_command(self) -> None:
        self._end_word()
        if self._target:
            self._target = self._plain = False
        if self._words:
            self._commands.append(tuple(self._words))
            self._words = []
