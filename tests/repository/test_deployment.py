"""Test the files for containers, Compose and systemd, as far as possible without those tools."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.container_steps import Image, build, check, instructions
from signalbox.webapp.settings import Settings, variable
from tests.support.paths import ROOT

CONTAINERFILE = (ROOT / "Containerfile").read_text()
UNIT = (ROOT / "deploy" / "signalbox.service").read_text()
VARIABLES = {variable(spec) for spec in fields(Settings)}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    folder = tmp_path_factory.mktemp("container")
    yield build(folder, offline=True)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return loaded


def test_the_steps_of_the_containerfile_give_a_healthy_server(image: Image) -> None:
    check(image, SIGNALBOX_ALLOWED_HOSTS="console.example.org, localhost", SIGNALBOX_ROOT_PATH="/signalbox")
    assert (image.folder / "data" / "signalbox.db").exists()


def test_the_image_holds_no_sources_and_no_build_tools(image: Image) -> None:
    assert not (image.folder / "build").exists()
    assert not list(image.folder.glob("opt/signalbox/lib/*/site-packages/pip"))


def test_the_container_runs_as_an_ordinary_user_and_keeps_its_data_in_a_volume(image: Image) -> None:
    user = image.user.partition(":")[0]
    assert user.isdigit()
    assert f"--uid {user} " in CONTAINERFILE
    assert image.environment["SIGNALBOX_STORE_URL"].startswith(f"sqlite:///{image.folder}{image.volumes[0]}/")
    assert all(":" in source and "slim" in source for name, source in instructions(CONTAINERFILE) if name == "FROM")


def test_the_build_context_holds_exactly_the_files_that_the_containerfile_copies() -> None:
    included = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source.partition("/")[0]
        for name, arguments in instructions(CONTAINERFILE)
        if name == "COPY" and not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    }
    assert included == copied


def test_compose_builds_that_image_and_keeps_its_volume(image: Image, compose: dict[str, Any]) -> None:
    (service,) = compose["services"].values()
    assert (ROOT / service["build"]["dockerfile"]).is_file()
    (volume,) = service["volumes"]
    name, target = volume.split(":")
    assert name in compose["volumes"]
    assert [target] == image.volumes
    assert service["environment"].keys() <= VARIABLES
    (port,) = service["ports"]
    assert port.startswith("127.0.0.1:")
    assert port.endswith(f":{dict(instructions(CONTAINERFILE))['EXPOSE']}")


def test_compose_uses_only_keys_of_the_specification(compose: dict[str, Any]) -> None:
    known = {"build", "cap_drop", "environment", "image", "init", "ports", "read_only", "restart", "security_opt"}
    known |= {"stop_grace_period", "tmpfs", "ulimits", "volumes"}
    assert compose.keys() == {"services", "volumes"}
    for service in compose["services"].values():
        assert service.keys() <= known
        assert all(isinstance(value, str) for value in service["environment"].values())


def test_the_unit_starts_the_server_and_stops_only_the_main_process() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(UNIT)
    assert unit.sections() == ["Unit", "Service", "Install"]
    service = unit["Service"]
    assert service["ExecStart"].split()[1:] == ["serve"]
    assert service["User"] != "root"
    assert service["KillMode"] == "process"
    assert f"/var/lib/{service['StateDirectory']}/" in service["Environment"]
    assert set(re.findall(r"SIGNALBOX_\w+", UNIT)) <= VARIABLES


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    if not (verifier := shutil.which("systemd-analyze")):
        return
    unit = tmp_path / "signalbox.service"
    unit.write_text(UNIT.replace("/opt/signalbox/bin/signalbox", str(Path(sys.executable).parent / "signalbox")))
    result = subprocess.run([verifier, "verify", "--man=no", unit], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_product_lock_is_a_subset_of_the_checkout_lock() -> None:
    def pins(path: Path) -> set[str]:
        return {line.partition(" ")[0] for line in path.read_text().splitlines() if re.match(r"\w", line)}

    product, everything = pins(ROOT / "deploy" / "requirements.lock"), pins(ROOT / "requirements.lock")
    assert product < everything
    assert not {"pytest", "mypy", "ruff", "playwright"} & {pin.partition("==")[0] for pin in product}
