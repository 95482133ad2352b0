"""Signalbox's web app: pages, API and streams over a store."""
