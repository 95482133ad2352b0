"""Static files: named by their content, kept for good, small on the wire."""

from __future__ import annotations

import gzip

import httpx
import pytest

from signalbox.webapp.http.assets import ROOT, asset, load
from tests.support.server import Server


def test_an_address_changes_with_the_content() -> None:
    assert asset("css/app.css") == f"/static/css/app.css?v={load('css/app.css').version}"
    assert len({load(path).version for path in ("css/app.css", "js/page.js", "icons/done.svg")}) == 3


def test_all_style_sheets_are_one_answer_and_it_is_small(server: Server) -> None:
    answer = server.get(asset("css/app.css"))
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert answer.text.startswith("@layer reset, tokens,")
    for file in (ROOT / "css").glob("*.css"):
        assert file.read_text() in answer.text
    assert len(load("css/app.css").packed) < 12_000


def test_a_versioned_file_is_kept_for_good_and_another_is_asked_for_again(server: Server) -> None:
    address = asset("js/page.js")
    assert "immutable" in server.get(address).headers["Cache-Control"]
    plain = server.get("/static/js/page.js")
    assert plain.headers["Cache-Control"] == "no-cache"
    again = server.get("/static/js/page.js", headers={"If-None-Match": plain.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_files_come_packed_to_those_who_can_unpack(server: Server) -> None:
    body = (ROOT / "vendor/htmx.min.js").read_bytes()
    with httpx.stream("GET", server.url + asset("vendor/htmx.min.js"), headers={"Accept-Encoding": "gzip"}) as packed:
        assert gzip.decompress(b"".join(packed.iter_raw())) == body
    assert server.get(asset("vendor/htmx.min.js"), headers={"Accept-Encoding": "identity"}).content == body


@pytest.mark.parametrize(
    "path", ["no.css", "../settings.py", "%2e%2e/settings.py", "..%2fsettings.py", "css", "", "a%00b", "x" * 5000]
)
def test_nothing_else_is_served(server: Server, path: str) -> None:
    assert server.get(f"/static/{path}").status_code == 404


def test_every_style_sheet_puts_its_rules_into_a_layer() -> None:
    for file in (ROOT / "css").glob("*.css"):
        outside = "".join(
            line for line in file.read_text().splitlines() if line and not line.startswith((" ", "}", "/*"))
        )
        assert all(part.lstrip().startswith(("layer", "media print")) for part in outside.split("@")[1:]), file.name
        assert "@" in outside


def test_colours_are_named_in_the_tokens_alone() -> None:
    for file in (ROOT / "css").glob("*.css"):
        if file.name != "tokens.css":
            assert "#" not in file.read_text().replace("#{", ""), file.name
            assert "rgb" not in file.read_text().replace("srgb", ""), file.name
