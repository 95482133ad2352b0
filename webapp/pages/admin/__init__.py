"""The administration: accounts, projects with their members, tokens, agents' commands, settings and health."""

from __future__ import annotations

from signalbox.webapp.pages.admin import accounts, projects, server, tokens

MODULES = (accounts, projects, tokens, server)
