"""Test which lines of output begin or end a group of lines."""

from __future__ import annotations

from time import process_time

import pytest

from signalbox.webapp.drawing.log_groups import marker_of, without_marker


@pytest.mark.parametrize(
    ("line", "attributes", "words"),
    [
        ("::group::Run tests\n", 'data-group="start" data-of="github"', "Run tests"),
        ("::group::", 'data-group="start" data-of="github"', "Group"),
        ("::endgroup::", 'data-group="end" data-of="github"', "end of group"),
        ("##[group]Build", 'data-group="start" data-of="azure"', "Build"),
        ("##[endgroup]", 'data-group="end" data-of="azure"', "end of group"),
        ("travis_fold:start:install.1", 'data-group="start" data-of="travis install.1"', "install.1"),
        ("travis_fold:start:a\r\x1b[0KGet it", 'data-group="start" data-of="travis a"', "Get it"),
        ("travis_fold:end:a\r\x1b[0K", 'data-group="end" data-of="travis a"', "end of a"),
        ("--- Deploy", 'data-group="section"', "--- Deploy"),
        ("+++ Deploy", 'data-group="section"', "+++ Deploy"),
        ("~~~ Deploy", 'data-group="section"', "~~~ Deploy"),
        ('::group::<i title="x">', 'data-group="start" data-of="github"', "&lt;i title=&#34;x&#34;&gt;"),
        ('travis_fold:end:"><b>', 'data-of="travis &#34;&gt;&lt;b&gt;"', "end of &#34;&gt;&lt;b&gt;"),
    ],
)
def test_a_marker_has_its_group_and_title(line: str, attributes: str, words: str) -> None:
    marker = marker_of(line)
    assert marker is not None
    assert attributes in marker.attributes
    assert f">{words}<" in marker.words


@pytest.mark.parametrize(
    "line",
    [
        *("::group", ":: group::x", "say ::group::x", "::endgroup::x", "##[section]x", "travis_fold:start:"),
        *("---", "--- ", "---- x", "--- a/file.py", "+++ b/file.py", "--- /dev/null", "--- old.txt\t2026-11-27 10:00"),
        *("--- ---", "::group::several\nlines", "", "-", "+ 3"),
    ],
)
def test_other_lines_are_no_markers(line: str) -> None:
    assert marker_of(line) is None


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        *(("::group::Run tests\n", "Run tests"), ("##[group] Build", "Build"), ("::group::", "::group::")),
        *(("travis_fold:start:a\r\x1b[0KGet it", "Get it"), ("travis_fold:start:install.1", "install.1")),
        *(("--- Deploy", "--- Deploy"), ("plain", "plain"), ("", "")),
    ],
)
def test_the_list_shows_the_title_of_a_group(line: str, shown: str) -> None:
    assert without_marker(line) == shown


@pytest.mark.parametrize("marker", ["travis_fold:start:x", "::endgroup::", "--- "])
def test_a_text_of_several_lines_is_examined_in_little_time(marker: str) -> None:
    text = marker + " " * 4000 + "a\nb"
    began = process_time()
    assert marker_of(text) is None
    assert without_marker(text) == text
    assert process_time() - began < 0.5
