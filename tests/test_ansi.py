"""Terminal colours in the log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.dom import parse
from webapp.ansi import render


@pytest.mark.parametrize(
    ("line", "html"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m.", '<span class="f1">red</span>.'),
        ("\x1b[1;92mok\x1b[22mok", '<span class="f10 bold">ok</span><span class="f10">ok</span>'),
        ("\x1b[44mon blue\x1b[49m off", '<span class="g4">on blue</span> off'),
        ("\x1b[3;4;7;9;2mall", '<span class="italic underline inverse strike dim">all</span>'),
        ("\x1b[38;5;9mindexed", '<span class="f9">indexed</span>'),
        ("\x1b[38;5;196mcube", '<span class="f1">cube</span>'),
        ("\x1b[38;5;240mgrey", '<span class="f8">grey</span>'),
        ("\x1b[48;2;0;0;200mtrue", '<span class="g4">true</span>'),
        ("\x1b[38:2:255:80:80mcolons", '<span class="f9">colons</span>'),
        ("\x1b[38:2::255:80:80mcolons", '<span class="f9">colons</span>'),
        ("\x1b[38;5;2;1mand bold", '<span class="f2 bold">and bold</span>'),
        ("\x1b[4:3mcurly", '<span class="underline">curly</span>'),
        ("\x1b[mreset", "reset"),
        ("\x1b[31m\x1b[39mnothing", "nothing"),
        ("\x1b[38;5mshort", "short"),
        ("\x1b[38;2;1mshort", "short"),
        ("\x1b[38;2;999;0;0mno colour", "no colour"),
        ("\x1b[38;5;999mno colour", "no colour"),
        ("\x1b[999999mnothing", "nothing"),
        ("\x1b[2K\x1b[1Gcursor\x1b[?25l", "cursor"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b(Bcharset\x1bM", "charset"),
        ("cut off \x1b[38;5", "cut off "),
        ("lone \x1b", "lone "),
        ("\x1b[31m<b>&\x1b[0m<i>", '<span class="f1">&lt;b&gt;&amp;</span>&lt;i&gt;'),
        ("bell\x07 nul\x00", "bell\u2407 nul\u2400"),
    ],
)
def test_escapes_become_classes_or_nothing(line: str, html: str) -> None:
    assert str(render(line)) == html


@given(st.text(st.sampled_from("\x1b[]0123456789;:mKP\\\x07\x9b<>&\"'ab \r\n\x00"), max_size=60))
def test_no_line_breaks_out_or_leaves_an_escape(line: str) -> None:
    html = str(render(line))
    tree = parse(html)
    assert {node.tag for node in tree.walk()} <= {"", "span"}
    assert all(node.attributes.keys() <= {"class"} for node in tree.walk())
    assert not set(html) & set("\x1b\x9b\x07\r\x00")


def test_a_line_of_nothing_but_escapes_is_quick() -> None:
    assert str(render("\x1b[" * 50_000 + "\x1b]" * 50_000 + "\x1b[1;" * 10_000)) == ""
