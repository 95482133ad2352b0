"""Web addresses in texts of runs become links, without the punctuation around them and without other schemes."""

from __future__ import annotations

import re
from html import unescape
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.store import NewEvent
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.drawing.links import MAX_LINKS, MAX_ROW_LINKS, linked, linked_html
from signalbox.webapp.views.text import clean
from tests.support.dom import parse
from tests.support.rendering import log, main, page


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("see https://a.b/c.", ["https://a.b/c"]),
        ("(https://a.b/c)", ["https://a.b/c"]),
        ("https://a.b/c_(d)", ["https://a.b/c_(d)"]),
        ("(https://a.b/c_(d)).", ["https://a.b/c_(d)"]),
        ("[https://a.b], <https://c.d>", ["https://a.b", "https://c.d"]),
        ('{"url":"https://a.b/c"}', ["https://a.b/c"]),
        ("'https://a.b'", ["https://a.b"]),
        ("**https://a.b/c**", ["https://a.b/c"]),
        ("https://a.b/?q=1&r=2#s!", ["https://a.b/?q=1&r=2#s"]),
        ("https://a.b,https://c.d", ["https://a.b", "https://c.d"]),
        ("http://127.0.0.1:8000/", ["http://127.0.0.1:8000/"]),
        ("http://[::1]:8000/x", ["http://[::1]:8000/x"]),
        ("HTTPS://A.B", ["HTTPS://A.B"]),
        ("git+https://a.b/c.git", ["https://a.b/c.git"]),
        ("https://de.example/Käse。次", ["https://de.example/Käse"]),
        ("https://a.b/c?", ["https://a.b/c"]),
        ("https://a.b/\u202egnp", ["https://a.b/"]),
        ("https://", []),
        ("https://.", []),
        ("xhttps://a.b", []),
        ("javascript://a.b/%0aalert(1)", []),
        ("ftp://a.b file:///etc/passwd", []),
        ("https://bank.example@evil.example/", []),
        ("https://user:secret@a.b/", []),
        ("https://a.b/" + "c" * 3000, []),
    ],
)
def test_addresses_become_links(text: str, addresses: list[str]) -> None:
    tree = parse(str(linked(text)))
    assert [link.attributes["href"] for link in tree.all("a")] == addresses
    assert [link.text for link in tree.all("a")] == addresses
    for link in tree.all("a"):
        assert link.attributes["rel"] == "noopener noreferrer nofollow"
        assert link.attributes["referrerpolicy"] == "no-referrer"


@given(st.text(alphabet=st.sampled_from(list("htps:/.abc@()[]<>\"'&;,\n \u202e")), max_size=80))
def test_the_text_stays_as_it_was(text: str) -> None:
    assert unescape(re.sub("<[^>]*>", "", str(linked(text)))) == clean(text)


def test_html_gets_links_in_its_texts_only() -> None:
    html = '<code title="https://a.b">x</code> <i>https://c.d?e=&#34;&amp;f</i>&lt;https://g.h&gt;'
    links = parse(linked_html(html)).all("a")
    assert [link.attributes["href"] for link in links] == ["https://c.d?e=", "https://g.h"]


async def test_a_row_of_a_log_has_a_bounded_number_of_links(store: SqliteStore) -> None:
    many = "https://a.b " * 100
    store.append("run", [log(many), log(f"\x1b[1m{many}"), log("short", urls=[many])])
    store.append("run", NewEvent(event_type="status", payload={"message": many}))
    rows = main(await page(store)).by_id("log-rows").all("li")
    assert [len([a for a in row.all("a") if a.text == "https://a.b"]) for row in rows] == [MAX_ROW_LINKS] * 4


@pytest.mark.parametrize(
    "text", ["https://a.b " * 50_000, "https://" * 100_000, "https://a" + ")" * 500_000, "https://a.b,http" * 50_000]
)
def test_many_and_long_addresses_take_bounded_time(text: str) -> None:
    began = process_time()
    assert str(linked(text)).count("<a ") <= MAX_LINKS
    assert process_time() - began < 0.5
