"""Markdown from a run is formatted, and never becomes a script, a picture or a misleading link."""

from __future__ import annotations

import re
from time import process_time

import pytest

from signalbox.webapp.drawing.markdown import looks_like_markdown, markdown_html
from tests.support.dom import parse

EXTERNAL = 'rel="noopener noreferrer nofollow" referrerpolicy="no-referrer"'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# Found", '<h3 dir="auto">Found</h3>'),
        (
            "## A\n#### B\n###### C\n### D\n# E",
            "\n".join(
                f'<h{level} dir="auto">{name}</h{level}>' for level, name in zip((3, 4, 5, 4, 3), "ABCDE", strict=True)
            ),
        ),
        ("~~old~~ **new**", '<p dir="auto"><s>old</s> <strong>new</strong></p>'),
        ("`a < b`", '<p dir="auto"><code>a &lt; b</code></p>'),
        ("[docs](https://a.b/c)", f'<p dir="auto"><a href="https://a.b/c" {EXTERNAL}>docs</a></p>'),
        ("see https://a.b/c_d.", f'<p dir="auto">see <a href="https://a.b/c_d" {EXTERNAL}>https://a.b/c_d</a>.</p>'),
        ("[mail](mailto:a@b.c)", f'<p dir="auto"><a href="mailto:a@b.c" {EXTERNAL}>mail</a></p>'),
        ("![plan](https://a.b/p.png)", f'<p dir="auto"><a href="https://a.b/p.png" {EXTERNAL}>image: plan</a></p>'),
        (
            "[![badge](https://a.b/x.svg)](https://c.d)",
            f'<p dir="auto"><a href="https://c.d" {EXTERNAL}>image: badge</a></p>',
        ),
        (
            "[https://bank.example](https://evil.example)",
            f'<p dir="auto"><a href="https://evil.example" {EXTERNAL}>https://bank.example</a>'
            ' <i class="address">(https://evil.example)</i></p>',
        ),
        (
            "```diff\n-a\n+<i>\n b\n```",
            '<pre><code><span class="diff-removed">-a</span>\n'
            '<span class="diff-added">+&lt;i&gt;</span>\n b</code></pre>',
        ),
        ("\x1b[31mred\x1b[0m", '<p dir="auto">red</p>'),
    ],
)
def test_markdown_becomes_html(text: str, html: str) -> None:
    assert str(markdown_html(text)) == f'<div class="markdown">{html}\n</div>'


def test_a_table_keeps_its_alignment_without_inline_styles() -> None:
    html = str(markdown_html("| handler | p99 |\n|:-:|--:|\n| mail | 2 s |"))
    (table,) = parse(html).all("table")
    assert [cell.text for cell in table.all("td")] == ["mail", "2 s"]
    assert [cell.attributes["class"] for cell in table.all("th")] == ["align-center", "align-right"]
    assert "style=" not in html


HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a <b onclick=alert(1)>c</b>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java&#10;script:alert(1))",
    "<javascript:alert(1)>",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "[x](//evil.example)",
    "[x](/logout)",
    "![x](javascript:alert(1))",
    '![x"onerror="alert(1)](https://a.b/c.png)',
    '[x](https://a.b "t\\" onmouseover=\\"alert(1)")',
    "[x]: javascript:alert(1)\n\n[x]",
    '```js" onclick="alert(1)\ncode\n```',
    "</div></main><script>1</script>",
    "&lt;script&gt;",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_stays_text(text: str) -> None:
    tree = parse(str(markdown_html(text)))
    for tag in ("script", "img", "b", "iframe", "style", "form"):
        assert not tree.all(tag)
    for link in tree.all("a"):
        assert re.match(r"https?://|mailto:", link.attributes["href"])
        assert link.attributes["rel"] == "noopener noreferrer nofollow"
    shown = str(markdown_html(text))
    assert not re.search(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', '""', shown))


@pytest.mark.parametrize(
    "text", ["a\u202egnp.exe", "&#8238;gnp.exe", "[&#x202e;x](https://a.b)", "nul\x00", "\x9b31m\x85x"]
)
def test_characters_that_hide_or_reverse_text_are_visible(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", str(markdown_html(text)))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "![a](" * 20_000,
        "> " * 50_000,
        "- a\n" * 25_000,
        "|a" * 20_000 + "\n" + "|-" * 20_000 + "\n" + "|b" * 20_000,
        "|a|b|\n|-|-|\n" + "|1|2|\n" * 15_000,
        ("|a" * 250 + "\n" + "|-" * 250 + "\n" + "a\n" * 250 + "\n") * 5,
        "_a__" * 25_000,
        "word " * 400_000,
    ],
    ids=["brackets", "images", "quotes", "items", "wide table", "long table", "short rows", "underscores", "2 MB"],
)
def test_long_and_nested_markdown_takes_bounded_time(text: str) -> None:
    began = process_time()
    html = str(markdown_html(text, limit=8000))
    assert process_time() - began < 0.8
    assert len(html) < 50 * 8000 + 6 * len(text)


@pytest.mark.long
@pytest.mark.parametrize(
    ("language", "unit"),
    [("java", "__ "), ("c", "\n\n\n"), ("python", " \n")],
    ids=["java", "c", "python"],
)
def test_code_takes_bounded_time(language: str, unit: str) -> None:
    began = process_time()
    html = str(markdown_html(f"```{language}\n{(unit * 16_000)[:16_000]}x\n```"))
    assert process_time() - began < 4
    assert "x" in html


def test_long_code_is_coloured_to_its_end_as_it_is_written() -> None:
    function = 'def add(a: int) -> str:\n    """Add."""\n    return f"{a + 1}"  # sum\n\n\n'
    html = str(markdown_html(f"```python\n{function * 80}```"))
    assert html.count('<span class="f4">def</span>') == html.count('<span class="dim italic"># sum</span>') == 80
    assert parse(html).text.strip() == (function * 80).strip()


def test_a_long_table_keeps_all_its_cells() -> None:
    html = str(markdown_html("|a|b|c|d|\n|-|-|-|-|\n" + "|1|2|3|4|\n" * 3000))
    assert html.count("<td") == 12_000


def test_text_beyond_the_limit_follows_as_it_is() -> None:
    tree = parse(str(markdown_html("**a**\n" * 10 + "**b**", limit=60)))
    assert [bold.text for bold in tree.all("strong")] == ["a"] * 10
    assert tree.all("pre")[0].text == "**b**"


@pytest.mark.parametrize(
    ("text", "is_markdown"),
    [
        ("# Title\ntext", True),
        ("plain **bold**", True),
        ("```\ncode\n```", True),
        ("| a |\n|---|\n| b |", True),
        ("a|b\n| :--- | ---: |\nc|d", True),
        ("|--|", False),
        ("|---|x", False),
        ("just words", False),
        ("- dash in a log", False),
        ("x = a * b ** c", False),
        ("#!/bin/sh", False),
    ],
)
def test_markdown_is_recognised_by_its_signs(text: str, is_markdown: bool) -> None:
    assert looks_like_markdown(text) is is_markdown


@pytest.mark.parametrize("text", ["|" + "-" * 30_000 + "x", "[" * 30_000, "| -" * 10_000 + "x"])
def test_signs_are_sought_in_little_time(text: str) -> None:
    began = process_time()
    assert not looks_like_markdown(text)
    assert process_time() - began < 0.5
