"""Renders views as HTML: pure functions without a clock or a request."""
