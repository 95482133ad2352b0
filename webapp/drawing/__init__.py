"""From a view to HTML: pure functions, no clock, no request."""
