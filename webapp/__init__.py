"""Signalbox's web app: pages, API and streams over a store."""

from importlib.metadata import version

__version__ = version("signalbox-console")
