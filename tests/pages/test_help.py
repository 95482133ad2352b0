"""The help page lists the keys of all pages."""

from __future__ import annotations

import re

from signalbox.webapp.drawing import manual
from signalbox.webapp.pages.help import KEYS
from tests.support.paths import ROOT
from tests.support.server import Server


def test_every_key_of_the_templates_is_listed() -> None:
    templates = "".join(file.read_text() for file in (ROOT / "webapp" / "templates").rglob("*.html"))
    keys = set(re.findall(r'data-key="([^"{]+)"', templates))
    listed = {key for group in KEYS.values() for key in group}
    assert keys <= listed, sorted(keys - listed)


def test_the_help_shows_commands_for_this_server_and_the_version(server: Server) -> None:
    page = server.get("/help").text
    assert f"signalbox run --server {server.url}" in page
    assert "Signalbox 0." in page


def test_each_chapter_of_the_docs_is_a_page_whose_links_lead_to_pages(server: Server) -> None:
    ids, links = dict[str, set[str]](), list[tuple[str, str, str]]()
    for name, title in manual.titles().items():
        page = server.get(f"/help/docs/{name}").text
        assert f'<h1 class="title">{title}</h1>' in page
        assert ".md" not in "".join(re.findall(r'href="([^"]*)"', page))
        ids[name] = set(re.findall(r'id="([^"]+)"', page))
        links += [(name, to, at) for to, at in re.findall(r'href="(?:/help/docs/([a-z-]+))?(?:#([^"]+))?"', page)]
    broken = [(name, to, at) for name, to, at in links if (to or name) not in ids or (at and at not in ids[to or name])]
    assert len(links) > 300
    assert not broken


def test_every_file_of_the_docs_is_in_the_help_except_the_pictures_of_changes() -> None:
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} - {"before-and-after"} == set(manual.titles())


def test_an_unknown_chapter_names_those_that_exist(server: Server) -> None:
    answer = server.get("/help/docs/nothing")
    assert answer.status_code == 404
    assert "python" in answer.text
