"""Accessibility checks of a page with axe, in the themes in which a page is shown."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, Page

CALM = {"reduced_motion": "reduce"}
WINDOW = {"width": 1280, "height": 800}
THEMES: dict[str, dict[str, Any]] = {
    "light": {**CALM, "color_scheme": "light", "viewport": WINDOW},
    "dark": {**CALM, "color_scheme": "dark", "viewport": WINDOW},
    "phone": {**CALM, "color_scheme": "light", "viewport": {"width": 360, "height": 740}, "is_mobile": True},
}
"""Options of a browser context."""

RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""The rules that the dark theme could violate."""
VIOLATIONS = """(rules) => {
  // Two elements have the same shape if they differ only in texts, and in the values of attributes without influence.
  const attributes = (element) => [...element.attributes].map(({name, value}) =>
    /^(class|style|role|type|rel|dir|tabindex)$/.test(name) ? `${name}=${value}` : name).join(' ');
  const shape = (element) => `<${element.tagName} ${attributes(element)}>${
    [...element.childNodes].map((node) => node.nodeType === 1 ? shape(node) : node.nodeValue.trim() && '.').join('')}`;
  const counts = new Map(), exclude = [];
  const visit = (element, ancestors) => {
    const found = `${ancestors}>${shape(element)}`, count = (counts.get(found) ?? 0) + 1;
    counts.set(found, count);
    if (count > 2) exclude.push(element);
    else for (const child of element.children) visit(child, `${ancestors}>${element.tagName} ${attributes(element)}`);
  };
  visit(document.body, '');
  const ids = [...document.querySelectorAll('[id]')].map(({id}) => id);
  const repeated = ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `the id ${id} is not unique`);
  return axe.run({include: [document], exclude}, {runOnly: rules, resultTypes: ['violations'], preload: false})
    .then((found) => repeated.concat(found.violations.flatMap(({id, help, nodes}) =>
      nodes.map((node) => `${id} (${help}): ${node.target} ${node.failureSummary}\\n    ${node.html}`))));
}"""
"""Returns the violations. Of elements with the same shape in the same place, axe looks at two: it takes a second for
the rows of a log."""


def add_axe(to: BrowserContext | Page) -> None:
    """Load axe into all pages that are opened later."""
    to.add_init_script(AXE_SCRIPT)


def expect_accessible(page: Page) -> None:
    """Check that axe finds no violation on the page, and that the page does not scroll sideways."""
    dark = page.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
    violations = page.evaluate(VIOLATIONS, COLOURS if dark else RULES)
    assert not violations, "\n".join(violations)
    expect_no_sideways_scroll(page)


def expect_no_sideways_scroll(page: Page) -> None:
    """Check that the page is no wider than the window."""
    wide, window = page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= window, f"the page is {wide} px wide in a window of {window} px"
