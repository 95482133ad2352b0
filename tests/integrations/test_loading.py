"""Test that a program loads Signalbox only when it reports something."""

from __future__ import annotations

from pathlib import Path

import signalbox
from signalbox import store
from tests.support.reporting import run_program


def test_the_package_has_all_public_names_of_the_store() -> None:
    assert [name for name in signalbox.__all__ if name != "RemoteLog"] == store.__all__
    assert all(getattr(signalbox, name) for name in signalbox.__all__)
    assert set(signalbox.__all__) <= set(dir(signalbox))


def test_importing_the_package_or_an_integration_loads_no_store(tmp_path: Path) -> None:
    done = run_program(
        """
        import sys
        import signalbox, signalbox.integrations.reporting.background
        heavy = ("signalbox.store", "msgspec", "sqlite3", "httpx", "asyncio", "typing")
        before = [name for name in heavy if name in sys.modules]
        from signalbox import open_store
        print(before, open_store is signalbox.store.open_store)
        """,
        cwd=tmp_path,
    )
    assert done.stdout == "[] True\n"
