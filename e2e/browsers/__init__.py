"""Tests of the core flows in Firefox and WebKit: `make browsers`.

Playwright only drives its own builds of these browsers, so the installed ones are driven with the standard protocols:
Firefox with WebDriver BiDi, WebKitGTK with WebDriver.
"""
