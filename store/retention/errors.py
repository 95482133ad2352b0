"""The error of invalid retention rules."""

from __future__ import annotations


class InvalidRetention(ValueError):
    """The rules have an invalid value. The message names the rule and what is allowed."""
