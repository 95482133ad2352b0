"""The administration: accounts, projects with their members, tokens, agents' commands, space, settings and health."""

from __future__ import annotations

from signalbox.webapp.pages.admin import accounts, projects, server, space, tokens

MODULES = (accounts, projects, tokens, space, server)
