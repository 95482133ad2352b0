"""Signalbox's web app: pages, API and streams over a store."""

__version__: str


def __getattr__(name: str) -> str:
    # Importing importlib.metadata takes as long as importing a small command.
    if name != "__version__":
        raise AttributeError(f"module 'signalbox.webapp' has no attribute {name!r}")
    from importlib.metadata import version

    found = globals()[name] = version("signalbox-console")
    return found
