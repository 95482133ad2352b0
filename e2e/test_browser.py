"""Test the fixtures: an error in a page fails the test."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parent.parent


def test_an_error_in_a_page_fails_the_test_unless_expected(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile("""
        from playwright.sync_api import expect

        BREAKS = "<p>drawn</p><script>throw new Error('red')</script>"

        def test_draws(page):
            page.set_content(BREAKS.replace("throw new Error('red')", "document.body.append('clear')"))
            expect(page.get_by_text("clear")).to_be_visible()

        def test_throws(page):
            page.set_content(BREAKS)

        def test_logs_in_another_profile(new_context):
            new_context().new_page().evaluate("console.error('red')")

        def test_expected(page, expect_console):
            expect_console.append("Error: red")
            page.set_content(BREAKS)
    """)
    pytester.runpytest_subprocess("-p", "e2e.conftest").assert_outcomes(passed=4, errors=2)
