"""Test the repository as a fresh clone."""

import re
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT

LOCK = (ROOT / "requirements.lock").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()

# Text that makes sense only on one machine or in one network.
OF_ONE_MACHINE = re.compile(
    r"(?<![\w.~%-])/(?:work|root|tmp|home|Users|private)/(?=\w)"
    r"|[a-z]+://[^\s\"'<>]*(?:/simple\b|artifactory|pythonhosted|registry\.npmjs)"
    r"|--(?:extra-index-url|index-url|find-links|trusted-host)",
)


def tracked_texts() -> dict[str, str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip(f"not a git checkout: {listed.stderr.strip()}")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return {
        str(path.relative_to(ROOT)): path.read_text(errors="ignore")
        for path in paths
        if path.is_file() and b"\0" not in path.read_bytes()
    }


@pytest.mark.long
def test_no_file_names_a_machine_or_a_package_index() -> None:
    found = [
        f"{name}:{number}: {match.group()}"
        for name, text in tracked_texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        for match in OF_ONE_MACHINE.finditer(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", ["requirements.lock", "deploy/requirements.lock"])
def test_the_locks_name_no_index(name: str) -> None:
    lock = (ROOT / name).read_text()
    assert "://" not in lock
    assert not re.search(r"^-", lock, re.MULTILINE)


def test_the_lock_pins_every_dependency_with_its_hashes() -> None:
    locked = {}
    for entry in re.split(r"\n(?=\S)", LOCK.strip()):
        assert "--hash=sha256:" in entry, entry
        pinned = Requirement(entry.split("\\")[0])
        locked[canonicalize_name(pinned.name)] = pinned.specifier

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    for wanted in map(Requirement, [*project["dependencies"], *(one for extra in extras for one in extra)]):
        if wanted.name == project["name"]:
            continue  # An extra that includes other extras of the project.
        (pin,) = locked[canonicalize_name(wanted.name)]
        assert pin.operator == "=="
        assert wanted.specifier.contains(pin.version), f"{wanted} is locked at {pin.version}"


def test_make_lists_its_targets() -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):(?!=)", MAKEFILE, re.MULTILINE))
    listed = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)
    help_texts = dict(re.findall(r"^  make (\S+)\s+(\S.*)$", listed.stdout, re.MULTILINE))
    assert help_texts.keys() == targets
    assert all(help_texts.values())
