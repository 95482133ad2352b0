"""Test the fixtures: an error in a page fails the test, and nothing remains from one test to the next."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from e2e.kept_profile import KeptProfile
from tests.support.server import Server

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parent.parent


@pytest.mark.long
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


def test_the_kept_profile_is_empty_for_each_test(shared_server: Server, kept_profile: KeptProfile) -> None:
    context, address = kept_profile.context, f"{shared_server.url}/help"
    left = "[document.cookie, localStorage.length, document.documentElement.dataset.theme ?? '', innerWidth]"
    try:
        page = context.new_page()
        page.goto(address)
        clean = page.evaluate(left)
        page.set_viewport_size({"width": 500, "height": 500})
        context.route("**/*", lambda route: route.abort())
        page.evaluate("document.cookie = 'a=b; path=/'; localStorage.theme = 'dark'")
        assert page.evaluate(left) != clean
    finally:
        kept_profile.clean()
    assert len(context.pages) == 1
    page = context.new_page()
    try:
        page.goto(address)
        assert page.evaluate(left) == clean
    finally:
        kept_profile.clean()


def test_what_would_last_until_the_next_test_is_refused(kept_profile: KeptProfile) -> None:
    page = kept_profile.context.new_page()
    try:
        for change in (lambda: page.context.set_offline(True), page.clock.install):
            with pytest.raises(AssertionError, match="own_profile"):
                change()
    finally:
        kept_profile.clean()


@pytest.mark.long
def test_a_failed_test_leaves_the_next_one_a_new_profile(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile("""
        import pytest
        from unittest.mock import Mock

        @pytest.fixture(scope="session")
        def kept_profile():
            return Mock()

        @pytest.mark.parametrize("passes", [True, False, True])
        def test_a_profile(context, passes):
            assert passes

        def test_what_became_of_it(kept_profile):
            calls = [name for name, *_ in kept_profile.method_calls if not name.startswith("context.")]
            assert calls == ["clean", "replace", "clean"]
    """)
    pytester.runpytest_subprocess("-p", "e2e.conftest").assert_outcomes(passed=3, failed=1)


def test_a_replaced_profile_is_another_one(browser: Browser) -> None:
    profile = KeptProfile(browser)
    try:
        before = profile.context
        before.new_page()
        profile.replace()
        assert profile.context is not before
        assert len(profile.context.pages) == 1
    finally:
        profile.close()
