"""The payload viewer shows every value of a payload, folds long ones, finds texts, and never lets a value out."""

from __future__ import annotations

import re
from html import unescape
from time import process_time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from signalbox.webapp.drawing.payload.address import PayloadAddress
from signalbox.webapp.drawing.payload.limits import CARD
from signalbox.webapp.drawing.payload.search import Search
from signalbox.webapp.drawing.payload.viewer import piece
from signalbox.webapp.http.view_choices import VIEWS
from signalbox.webapp.views.json_pointer import child, resolve
from tests.drawing.test_hostile_text import CONTROLS, HOSTILE
from tests.support.dom import Node, parse
from tests.support.rendering import FRAGMENTS

ADDRESS = PayloadAddress("/tasks/run/events/7/payload?identity=9")


def viewer(payload: Any, view: str = "", query: str = "", pointer: str = "") -> Node:
    return parse(str(FRAGMENTS.payload_viewer.render(payload, ADDRESS.at(pointer), view, query)))


def content(tree: Node) -> Node:
    (found,) = by_class(tree, "viewer-content")
    return found


def by_class(tree: Node, name: str) -> list[Node]:
    return [node for node in tree.walk() if name in str(node.attributes.get("class", "")).split()]


def chosen(tree: Node) -> str:
    (link,) = (link for link in tree.all("a") if "aria-current" in link.attributes)
    return link.text


def test_a_value_whose_pointer_is_too_long_for_an_address_leads_to_the_raw_payload() -> None:
    payload = {"é" * 20_000: [[[[0]] for _ in range(90)] for _ in range(100)]}
    page = str(FRAGMENTS.payload_viewer.render(payload, ADDRESS, "json"))
    assert all(len(link) < 10_000 for link in re.findall(r'href="([^"]*)"', page))
    assert "Show the raw payload" in page


def load(payload: Any, address: str) -> Node:
    """Return the piece that the server sends for a link of a viewer."""
    given = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    pointer = given.get("pointer", "")
    value, start = resolve(payload, pointer), int(given.get("from", 0))
    return parse(str(piece(value, ADDRESS.at(pointer), given.get("view", "text"), Search(), start)))


def test_json_is_indented_and_folded_beyond_the_second_level() -> None:
    tree = viewer({"a": {"b": {"c": {"d": ["long " * 10, "long " * 10]}}}, "n": None, "on": True}, "json")
    folds = {
        re.sub(r"\W.*", "", fold.all("summary")[0].text[1:]): "open" in fold.attributes for fold in tree.all("details")
    }
    assert folds == {"a": True, "b": True, "c": False, "d": False}
    assert '"n": null,' in content(tree).text
    assert '"on": true' in content(tree).text


def test_containers_and_texts_of_more_than_twenty_lines_are_folded() -> None:
    tree = viewer(
        {"short": list(range(18)), "long": list(range(30)), "text": "line\n" * 30, "few": {"in": ["a\nb"]}}, "json"
    )
    folds = [(fold.all("summary")[0].text, "open" in fold.attributes) for fold in tree.all("details")]
    assert folds == [
        ('"short": [ 18 items ],', True),
        ('"long": [ 30 items ],', False),
        ('"text": "line… 30 lines', False),
        ('"few": { in }', True),
        ('"in": [ 1 item ]', True),
    ]
    assert [block.text for block in by_class(tree, "json-block")] == ["line\n" * 30, "a\nb"]


def test_the_tree_is_the_json_of_the_payload() -> None:
    payload = {"k": [1, 2.5, 'a"b\\c', None, {"x": {}}, []], "é": "\t", "big": 2**80, "deep": [[[["x"]]]]}
    tree = viewer(payload, "json")
    for preview in by_class(tree, "json-preview"):
        preview.children = []
    assert msgspec.json.decode(content(tree).text) == payload


@pytest.mark.parametrize(
    ("payload", "view"),
    [
        ({"a": 1}, "JSON"),
        ({"message": "one line"}, "JSON"),
        ({"message": "two\nlines", "stream": "stderr"}, "Text"),
        ({"message": "# Title\n\n**bold**", "level": "info"}, "Markdown"),
        ({"result": "@@ -1 +1 @@\n-**a**\n+**b**"}, "Text"),
        ({"message": "\x1b[1m# coloured\x1b[0m\n**x**"}, "Text"),
        ({"tool_name": "bash", "arguments": {"command": "ls"}}, "Text"),
        ({"command": ["make", "all targets"]}, "Text"),
        ({"tool_name": "edit", "arguments": {"command": "view", "path": "x"}}, "JSON"),
    ],
)
def test_a_payload_opens_in_the_view_in_which_it_reads_best(payload: Any, view: str) -> None:
    assert chosen(viewer(payload)) == view


@pytest.mark.parametrize(
    ("payload", "command"),
    [
        ({"tool_name": "bash", "arguments": {"command": "ls -l | wc"}}, "ls -l | wc"),
        ({"tool_name": "mcp__box__run_command", "args": {"cmd": "make\ntest"}}, "make\ntest"),
        ({"tool_name": "ShellExec", "input": {"argv": ["rm", "-rf", "a b"]}}, "rm -rf 'a b'"),
        ({"tool_name": "shell", "arguments": {"command": ["bash", "-lc", "cd x && make"]}}, "cd x && make"),
        ({"tool_name": "terminal", "arguments": "ls"}, ""),
        ({"name": "deploy", "arguments": {"command": ["kubectl", "apply", "-f", "x y"]}}, "kubectl apply -f 'x y'"),
    ],
)
def test_a_command_looks_as_typed_into_a_shell(payload: Any, command: str) -> None:
    blocks = by_class(viewer(payload, "text"), "shell")
    assert [block.text for block in blocks] == ([f"$ {command}"] if command else [])


def test_a_command_hides_nothing() -> None:
    (block,) = by_class(
        viewer({"tool_name": "sh", "arguments": {"command": "rm \u202etxt.a\x1b[8m b\x08\x00"}}), "shell"
    )
    assert block.text == "$ rm \ufffdtxt.a b\u2408\u2400"


def test_a_long_command_leads_to_the_whole_of_it() -> None:
    payload = {"tool_name": "sh", "arguments": {"command": "echo " + "x" * 100_000}}
    (block,) = by_class(viewer(payload, "text"), "shell")
    assert "(60,005 more characters)" in block.text
    assert str(block.all("a")[0].attributes["href"]).endswith("pointer=%2Farguments%2Fcommand&view=raw")


def test_texts_show_diffs_colours_links_and_formatted_json() -> None:
    arguments = '{"path":"' + "x" * 100 + '","n":1}'
    payload = {"d": "@@ -1 +1 @@\n-a\n+b", "c": "\x1b[31mred\nline", "u": "see https://a.b/c.", "j": arguments}
    for view in ("text", "json"):
        tree = viewer(payload, view)
        assert [node.text for node in by_class(tree, "diff-added")] == ["+b"]
        assert [node.text for node in by_class(tree, "f1")] == ["red\nline"]
        links = [link.attributes["href"] for link in content(tree).all("a")]
        assert links == ["https://a.b/c"]
    assert '  "n": 1' in content(viewer(payload, "text")).text


def test_markdown_is_formatted_in_every_text() -> None:
    tree = viewer({"messages": [{"role": "user", "content": "# Hi\n\n**there**"}]}, "markdown")
    assert [node.text for node in tree.all("strong")] == ["there"]
    assert [node.text for node in by_class(tree, "leaf-name")] == ["messages › 0", "role", "content"]


def test_a_search_opens_the_folds_with_matches_and_marks_them() -> None:
    payload = {
        "deep": {"a": {"b": {"c": {"Needle": "x" * 100}}}},
        "items": [f"item {n}" for n in range(5000)] + ["NEEDLE"],
    }
    tree = viewer(payload, "json", "needle")
    assert "2 matches" in tree.text
    assert [mark.text for mark in tree.all("mark")] == ["Needle", "NEEDLE"]
    assert all("open" in fold.attributes for fold in tree.all("details"))
    assert "… 5,000 without a match …" in content(tree).text
    for view in VIEWS:
        assert "2 matches" in viewer(payload, view, "needle").text
    for view in ("text", "markdown"):
        assert [mark.text for mark in viewer(payload, view, "needle").all("mark")] == ["Needle", "NEEDLE"]


def test_a_search_shows_the_surroundings_of_a_match_in_a_long_text() -> None:
    text = "x " * 50_000 + "needle https://a.b" + " y" * 50_000
    for view in ("text", "json", "raw"):
        tree = content(viewer({"t": text}, view, "needle"))
        assert [mark.text for mark in tree.all("mark")] == ["needle"]
        assert len(tree.text) < 2000
        assert "characters …" in tree.text


def test_a_match_is_marked_across_links_and_colours() -> None:
    tree = viewer({"t": "see https://a.b\n\x1b[1mnow\x1b[0m!"}, "text", "see https://a.b")
    assert "".join(mark.text for mark in tree.all("mark")) == "see https://a.b"
    assert tree.text.count("1 match") == 1
    assert content(viewer({"t": "&lt;<b>&amp;"}, "text", "<B>&")).all("mark")[0].text == "<b>&"


def test_a_search_for_nothing_and_without_a_match() -> None:
    assert not viewer({"a": 1}, "json", "").all("mark")
    assert "0 matches" in viewer({"a": {"b": "c"}}, "json", "needle").text


def test_every_item_and_every_character_is_reachable_in_pieces() -> None:
    payload = {"items": [f"<{n}>" for n in range(1234)], "text": "".join(f"{n} " for n in range(50_000))}
    shown = viewer(payload, "json")
    texts: dict[str, str] = {"/items": "", "/text": ""}
    waiting = [str(link.attributes["hx-get"]) for link in by_class(shown, "piece")]
    while waiting:
        address = waiting.pop()
        loaded = load(payload, address)
        more = by_class(loaded, "piece")
        waiting += [str(link.attributes["hx-get"]) for link in more]
        for link in more:
            link.children = []
        texts[parse_qs(urlsplit(address).query)["pointer"][0]] += loaded.text
    numbers = re.findall(r"<(\d+)>", content(shown).text + texts["/items"])
    assert numbers == [str(n) for n in range(1234)]
    assert texts["/text"] == payload["text"]


@pytest.mark.long
@pytest.mark.parametrize("view", ["text", "markdown", "raw"])
def test_every_line_of_a_long_text_is_reachable_in_every_view(view: str) -> None:
    payload = "".join(f"line-{n}\n\n" for n in range(12_000))
    shown = content(viewer(payload, view))
    text, address = "", "-"
    while address:
        waiting = by_class(shown, "piece")
        address = str(waiting[0].attributes["hx-get"]) if waiting else ""
        for link in waiting:
            link.children = []
        text += shown.text
        shown = load(payload, address)
    numbers = re.findall(r"line-(\d+)", text)
    assert numbers == [str(n) for n in range(12_000)]


def test_a_link_to_a_piece_works_without_scripts() -> None:
    for link in by_class(viewer({"items": list(range(1000))}, "json"), "piece"):
        address = str(link.attributes["href"])
        assert address.startswith(ADDRESS.page)
        assert "part=" not in address


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("text", [*HOSTILE, *CONTROLS])
def test_hostile_values_never_become_markup(view: str, text: str) -> None:
    payload = {
        text: [text, {text: text}],
        "tool_name": "bash",
        "arguments": {"command": text},
        "lines": f"{text}\n{text}",
    }
    for query in ("", text[:256]):
        html = str(FRAGMENTS.payload_viewer.render(payload, ADDRESS.at(child("", text)), view, query))
        html += str(FRAGMENTS.payload_viewer.render(payload, ADDRESS, view, query))
        tree = parse(html)
        tags = {node.tag for node in tree.walk()}
        assert not tags & {"script", "img", "hx-partial", "template", "main", "b", "iframe"}
        for link in tree.all("a"):
            assert re.match(r"/tasks/run/events/7/payload\?|https?://|mailto:", str(link.attributes["href"]))
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", unescape(html))


def nested(levels: int, *, lists: bool) -> Any:
    value: Any = "end"
    for _ in range(levels):
        value = [value] if lists else {"k": value}
    return value


HUGE: dict[str, Any] = {
    "500 lists": nested(500, lists=True),
    "500 objects": nested(500, lists=False),
    "2 MB line": {"a": "x" * 2_000_000},
    "2 MB lines": {"a": "line of text\n" * 150_000},
    "many numbers": list(range(100_000)),
    "many objects": [{"a": n, "b": [n, {"c": "d" * 50}]} for n in range(5_000)],
    "many keys": {f"k{n}": "v" * 60 for n in range(10_000)},
    "wide and deep": [[["x" * 40] * 50] * 50] * 50,
    "many texts": ["a\nb\n" * 30] * 2_000,
    "json in a text": {"a": '{"x":[' + "1," * 100_000 + "1]}"},
    "colours": {"m": "\x1b[31mx" * 100_000},
    "links": {"u": "https://a.b/c " * 50_000},
    "table": {"m": "|a|b|\n|-|-|\n" + "|1|2|\n" * 50_000},
    "long key": {"k" * 200_000: 1},
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_payloads_are_rendered_in_bounded_size_and_time(name: str) -> None:
    for view in VIEWS:
        began = process_time()
        html = str(FRAGMENTS.payload_viewer.render(HUGE[name], ADDRESS, view))
        assert process_time() - began < 3, view
        assert len(html) < 700_000, view
    assert "end" not in name or "mark" in str(FRAGMENTS.payload_viewer.render(HUGE[name], ADDRESS, "json", "end"))


def test_a_search_below_a_long_name_takes_little_time() -> None:
    payload = {"k" * 120_000: {f"n{number}": number for number in range(4000)}, "last": "found"}
    for view in VIEWS:
        began = process_time()
        html = str(FRAGMENTS.payload_viewer.render(payload, ADDRESS, view, "found"))
        assert process_time() - began < 1, view
        assert "<mark>found</mark>" in html, view


@pytest.mark.parametrize(
    "payload",
    [{"k" * 120_000: {"a": 1}}, {"a": {'"' * 120_000: [1, [2]]}}, {"text": "[" * 900 + "1," * 1000 + "1" + "]" * 900}],
    ids=["name of an object", "quotes", "deep JSON in a text"],
)
def test_long_names_and_deep_texts_do_not_fill_a_page(payload: Any) -> None:
    for view in ("text", "json", "markdown"):
        assert len(str(FRAGMENTS.payload_viewer.render(payload, ADDRESS, view, limits=CARD))) < 40_000, view


def test_a_pointer_names_keys_with_slashes_and_tildes() -> None:
    payload = {"a/b": {"~1": ["x"]}}
    assert child(child("", "a/b"), "~1") == "/a~1b/~01"
    assert resolve(payload, "/a~1b/~01/0") == "x"
    for wrong in ("/a", "/a~1b/~01/1", "/a~1b/~01/-1", "/a~1b/~01/x", "a", "/a~1b/~01/0/y", "/a~1b/~01/99999999999"):
        with pytest.raises(LookupError):
            resolve(payload, wrong)
