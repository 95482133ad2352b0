"""Static files: addressed by their content, cached for ever, compressed."""

from __future__ import annotations

import gzip
import re
from collections import Counter

import httpx
import pytest

from signalbox.webapp.http.assets import ROOT, asset, load
from signalbox.webapp.http.bundling import without_comments
from tests.support.server import Server


def test_the_url_of_an_asset_changes_with_its_content() -> None:
    assert asset("css/app.css") == f"/static/css/app.css?v={load('css/app.css').version}"
    assert len({load(path).version for path in ("css/app.css", "js/page.js", "icons/done.svg")}) == 3


def test_all_style_sheets_are_served_as_one_small_file(server: Server) -> None:
    response = server.get(asset("css/app.css"))
    assert response.headers["Content-Type"] == "text/css; charset=utf-8"
    assert response.text.startswith("@layer reset, tokens,")
    for file in [*(ROOT / "css").glob("*.css"), *(ROOT / "css/rows").glob("*.css")]:
        assert without_comments(file.read_text()) in response.text
    assert len(load("css/app.css").packed) < 15_000


def test_versioned_files_are_immutable_and_others_revalidated(server: Server) -> None:
    address = asset("js/page.js")
    assert "immutable" in server.get(address).headers["Cache-Control"]
    plain = server.get("/static/js/page.js")
    assert plain.headers["Cache-Control"] == "no-cache"
    again = server.get("/static/js/page.js", headers={"If-None-Match": plain.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_files_are_compressed_for_clients_that_accept_it(server: Server) -> None:
    body = (ROOT / "vendor/htmx.min.js").read_bytes()
    with httpx.stream("GET", server.url + asset("vendor/htmx.min.js"), headers={"Accept-Encoding": "gzip"}) as packed:
        assert gzip.decompress(b"".join(packed.iter_raw())) == body
    assert server.get(asset("vendor/htmx.min.js"), headers={"Accept-Encoding": "identity"}).content == body


@pytest.mark.parametrize(
    "path", ["no.css", "../settings.py", "%2e%2e/settings.py", "..%2fsettings.py", "css", "", "a%00b", "x" * 5000]
)
def test_paths_outside_the_static_files_are_404(server: Server, path: str) -> None:
    assert server.get(f"/static/{path}").status_code == 404


def test_every_style_sheet_puts_its_rules_into_a_layer() -> None:
    for file in (ROOT / "css").rglob("*.css"):
        outside = "".join(
            line for line in file.read_text().splitlines() if line and not line.startswith((" ", "}", "/*"))
        )
        assert all(part.lstrip().startswith(("layer", "media print")) for part in outside.split("@")[1:]), file.name
        assert "@" in outside


def test_a_style_sheet_states_each_rule_once() -> None:
    for file in (ROOT / "css").rglob("*.css"):
        rules = re.findall(r"^ *[^\s@{}][^{}]*\{[^{}]*\}", file.read_text(), re.MULTILINE)
        assert [rule for rule, times in Counter(rules).items() if times > 1] == [], file.name


def test_colours_are_defined_only_in_the_tokens() -> None:
    for file in (ROOT / "css").rglob("*.css"):
        if file.name != "tokens.css":
            assert "#" not in file.read_text().replace("#{", ""), file.name
            assert "rgb" not in file.read_text().replace("srgb", ""), file.name
