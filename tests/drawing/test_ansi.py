"""Escape sequences and links in log lines: colours become classes, everything else is dropped."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.store.terminal_escapes import ESCAPE
from signalbox.webapp.drawing.ansi import render
from signalbox.webapp.drawing.palette import TERMINAL, contrast, text_on
from signalbox.webapp.http.assets import ROOT
from tests.support.dom import parse


@pytest.mark.parametrize(
    ("line", "html"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m.", '<span class="f1">red</span>.'),
        ("\x1b[1;92mok\x1b[22mok", '<span class="f10 bold">ok</span><span class="f10">ok</span>'),
        ("\x1b[44mon blue\x1b[49m off", '<span class="g4 t15">on blue</span> off'),
        ("\x1b[3;4;7;9;2mall", '<span class="inverse dim italic underline strike">all</span>'),
        ("\x1b[38;5;9mindexed", '<span class="f9">indexed</span>'),
        ("\x1b[38;5;196mcube", '<span class="f1">cube</span>'),
        ("\x1b[38;5;240mgrey", '<span class="f8">grey</span>'),
        ("\x1b[48;2;0;0;200mtrue", '<span class="g4 t15">true</span>'),
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
        ("\x1b[7m\x1b[1m\x1b[32m PASS \x1b[0m", '<span class="g2 t15 bold"> PASS </span>'),
        ("\x1b[7m\x1b[1m\x1b[31m FAIL \x1b[0m", '<span class="g1 t15 bold"> FAIL </span>'),
        ("\x1b[40;37mon black", '<span class="g0 t7">on black</span>'),
        ("\x1b[47;30mon white", '<span class="g7 t0">on white</span>'),
        ("\x1b[7;41;97mboth", '<span class="g15 t1">both</span>'),
        ("\x1b[7;44mground alone", '<span class="g7 t4">ground alone</span>'),
        ("\x1b[7m\x1b[27mback", "back"),
        ("\x1b[41;31mred on red", '<span class="g1 t15">red on red</span>'),
        ("\x1b[40;31mred on black", '<span class="g0 t9">red on black</span>'),
        ("\x1b[8msecret\x1b[28mseen", '<span class="conceal">secret</span>seen'),
        ("\x1b[4m\x1b[4:0mno line", "no line"),
        ("\x1b[58;5;1munderline colour", "underline colour"),
        ("\x1b[58:2::255:0:0;1mbold", '<span class="bold">bold</span>'),
        ("\x9b31mred\x9b0m", '<span class="f1">red</span>'),
        ("\x9d0;a title\x9ctext", "text"),
        ("\x1b(Bcharset\x1bM", "charset"),
        ("cut off \x1b[38;5", "cut off "),
        ("lone \x1b", "lone "),
        ("\x1b[31m<b>&\x1b[0m<i>", '<span class="f1">&lt;b&gt;&amp;</span>&lt;i&gt;'),
        ("bell\x07 nul\x00", "bell\u2407 nul\u2400"),
    ],
)
def test_escape_sequences_become_classes_or_are_dropped(line: str, html: str) -> None:
    assert str(render(line)) == html


A = 'rel="noopener noreferrer nofollow" referrerpolicy="no-referrer"'
RUN = "https://example.org/run/42"
LINK = f'<a href="{RUN}" title="{RUN}" {A}>'


@pytest.mark.parametrize(
    ("line", "html"),
    [
        (f"see \x1b]8;;{RUN}\x1b\\run 42\x1b]8;;\x1b\\ now", f"see {LINK}run 42</a> now"),
        (f"\x1b]8;id=1;{RUN}\x07run \x1b[1m42\x1b]8;;\x07", f'{LINK}run <span class="bold">42</span></a>'),
        (f"\x1b]8;;{RUN}\x07never ended", f"{LINK}never ended</a>"),
        (f"\x1b]8;;{RUN}\x07one\x1b]8;;{RUN}?b\x07two", f"{LINK}one</a>{LINK.replace('42', '42?b')}two</a>"),
        ("\x1b]8;;file:///etc\x07etc\x1b]8;;\x07 .", 'etc <i class="address">(file:///etc)</i> .'),
        ("\x1b]8;;javascript:alert(1)\x07x\x1b]8;;\x07", 'x <i class="address">(javascript:alert(1))</i>'),
        (f'\x1b]8;;{RUN}"><b>\x07x\x1b]8;;\x07', f"{LINK}x</a>".replace("42", "42&#34;&gt;&lt;b&gt;")),
        (f"\x1b]8;;{RUN}\x07{RUN}\x1b]8;;\x07", f"{LINK}{RUN}</a>"),
        (f"\x1b]8;;{RUN}\x07https://bank\x1b]8;;\x07", f'{LINK}https://bank</a> <i class="address">({RUN})</i>'),
        (f"\x1b]8;;{RUN}\x07\x1b]8;;\x07nothing", "nothing"),
    ],
)
def test_only_web_addresses_become_links(line: str, html: str) -> None:
    assert str(render(line)) == html


@pytest.mark.parametrize("background", range(16))
def test_every_text_colour_is_readable_on_every_background(background: int) -> None:
    tokens = dict(re.findall(r"--terminal-(\d+): #(\w{6});", (ROOT / "css/tokens.css").read_text()))
    assert tuple(tokens[str(n)] for n in range(16)) == TERMINAL
    assert all(contrast(text_on(background, text), background) >= 4.5 for text in (None, *range(16)))


ALONE = LINK.replace(f' title="{RUN}"', "")


@pytest.mark.parametrize(
    ("line", "html"),
    [
        (f"see {RUN}.", f"see {ALONE}{RUN}</a>."),
        (f"\x1b[32m{RUN}\x1b[0m.", f'{ALONE}<span class="f2">{RUN}</span></a>.'),
        (
            "see https://example\x1b[1m.org/run\x1b[0m/42, done",
            f'see {ALONE}https://example<span class="bold">.org/run</span>/42</a>, done',
        ),
        (
            f"\x1b[1m({RUN}",
            f'<span class="bold">(</span>{ALONE}<span class="bold">{RUN}</span></a>',
        ),
        (
            f"\x1b[1m{RUN} {RUN}",
            f'{ALONE}<span class="bold">{RUN}</span></a><span class="bold"> </span>'
            f'{ALONE}<span class="bold">{RUN}</span></a>',
        ),
        (
            f"https://example.org\x1b]8;;{RUN}\x07/x\x1b]8;;\x07",
            f"{ALONE.replace('/run/42', '/x')}https://example.org</a>{LINK}/x</a>",
        ),
    ],
)
def test_an_address_is_one_link_across_colours(line: str, html: str) -> None:
    assert str(render(line)) == html


ADDRESSES = st.sampled_from(["https://", "a.b", "/c", "\x1b[1m", "\x1b]8;;https://c.d\x07", "\x1b]8;;\x07", ")", " "])


@given(st.lists(ADDRESSES, max_size=12))
def test_links_never_contain_links_and_never_change_the_text(parts: list[str]) -> None:
    line = "".join(parts)
    tree = parse(str(render(line)))
    assert not any(inner.tag == "a" for link in tree.all("a") for inner in list(link.walk())[1:])
    assert re.sub(r" \(https://c\.d\)", "", tree.text) == ESCAPE.sub("", line)


@given(st.text(st.sampled_from("\x1b[]0123456789;:mKP\\\x07\x9b\x9d<>&\"'ab h \r\n\x00"), max_size=60))
def test_no_line_produces_foreign_markup_or_keeps_an_escape_sequence(line: str) -> None:
    html = str(render(line))
    tree = parse(html)
    assert {node.tag for node in tree.walk()} <= {"", "span", "a", "i"}
    assert all(node.attributes.keys() <= {"class"} for node in tree.walk() if node.tag != "a")
    assert not set(html) & set("\x1b\x9b\x07\r\x00")


def test_a_long_line_of_escape_sequences_is_rendered_quickly() -> None:
    assert str(render("\x1b[" * 50_000 + "\x1b]" * 50_000 + "\x1b[1;" * 10_000)) == ""


def test_a_line_with_many_colours_is_plain_after_the_first_hundreds() -> None:
    html = str(render("".join(f"\x1b[{31 + n % 6}mx" for n in range(100_000)) + "<b>"))
    assert html.count("<span") <= 510
    assert parse(html).text == "x" * 100_000 + "<b>"
