"""Test that the vendored scripts are exactly the releases named in VENDORED.toml."""

import hashlib
import tomllib

import pytest

from tests.support.paths import ROOT

VENDOR = ROOT / "webapp" / "static" / "vendor"
FILES = tomllib.loads((VENDOR / "VENDORED.toml").read_text())["file"]


@pytest.mark.parametrize("entry", FILES, ids=lambda entry: entry["file"])
def test_a_vendored_file_has_the_recorded_checksum(entry: dict[str, str]) -> None:
    assert hashlib.sha256((VENDOR / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


def test_the_vendor_folder_holds_no_other_files() -> None:
    assert {path.name for path in VENDOR.iterdir()} == {entry["file"] for entry in FILES} | {"VENDORED.toml"}


def test_htmx_names_the_recorded_version() -> None:
    version = next(entry["version"] for entry in FILES if entry["name"] == "htmx")
    assert f'this.version="{version}"' in (VENDOR / "htmx.min.js").read_text()


def test_all_files_are_of_one_release() -> None:
    assert {entry["version"] for entry in FILES} == {"4.0.1"}


def test_no_file_points_at_a_source_map_that_is_not_served() -> None:
    assert not [path.name for path in VENDOR.glob("*.js") if "sourceMappingURL" in path.read_text()]
