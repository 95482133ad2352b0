"""The help page lists the keys of all pages."""

from __future__ import annotations

import re

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
