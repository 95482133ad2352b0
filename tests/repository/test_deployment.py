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
UNITS = [ROOT / "deploy" / name for name in ("signalbox.service", "signalbox@.service")]
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


@pytest.mark.long
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


@pytest.mark.parametrize("file", ["compose.yaml", "compose.postgresql.yaml"])
def test_compose_uses_only_keys_of_the_specification(file: str) -> None:
    loaded = yaml.safe_load((ROOT / file).read_text())
    known = {"build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "init", "networks"}
    known |= {"ports", "read_only", "restart", "security_opt", "stop_grace_period", "tmpfs", "ulimits", "volumes"}
    assert {key for key in loaded if not key.startswith("x-")} <= {"networks", "services", "volumes"}
    for service in loaded["services"].values():
        assert service.keys() <= known
        assert all(isinstance(value, str) for value in service.get("environment", {}).values())


def test_compose_runs_three_processes_on_postgresql_behind_caddy() -> None:
    loaded = yaml.safe_load((ROOT / "compose.postgresql.yaml").read_text())
    services = loaded["services"]
    processes = {name: service for name, service in services.items() if name.startswith("signalbox-")}
    assert len(processes) == 3
    for service in processes.values():
        environment = {name for name in service["environment"] if name.startswith("SIGNALBOX_")}
        assert environment <= VARIABLES
        assert services.keys() >= service["depends_on"].keys()
        assert "ports" not in service
        url = re.fullmatch(r"postgresql://(\w+)@(\w+)/(\w+)", service["environment"]["SIGNALBOX_STORE_URL"])
        assert url
        assert url[2] in services
        server = services[url[2]]["environment"]
        assert (server["POSTGRES_USER"], server["POSTGRES_DB"]) == (url[1], url[3])
        # The password has no default, so nobody runs with a known one.
        assert service["environment"]["PGPASSWORD"] == server["POSTGRES_PASSWORD"]
        assert server["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")
        assert re.match(r"redis://(\w+):6379", service["environment"]["SIGNALBOX_BUS_URL"])[1] in services  # type: ignore[index]
        proxy = services["caddy"]["networks"]["console"]["ipv4_address"]
        assert service["environment"]["SIGNALBOX_TRUSTED_PROXIES"] == proxy
        ((argument, lock),) = service["build"]["args"].items()
        assert ("ARG", f"{argument}=requirements.lock") in list(instructions(CONTAINERFILE))
        assert (ROOT / "deploy" / lock).is_file()
    port = dict(instructions(CONTAINERFILE))["EXPOSE"]
    caddyfile = (ROOT / services["caddy"]["volumes"][0].partition(":")[0]).read_text()
    assert re.findall(r"reverse_proxy (.*) \{", caddyfile) == [" ".join(f"{name}:{port}" for name in processes)]
    named = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    assert {name for name in named if not name.startswith(".")} == loaded["volumes"].keys()


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_the_unit_starts_the_server_and_stops_only_the_main_process(file: Path) -> None:
    text = file.read_text()
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    assert unit.sections() == ["Unit", "Service", "Install"]
    service = unit["Service"]
    assert service["ExecStart"].split()[1:] == ["serve"]
    assert service["User"] != "root"
    assert service["KillMode"] == "process"
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"
    assert set(re.findall(r"SIGNALBOX_\w+", text)) <= VARIABLES


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_systemd_accepts_the_unit(file: Path, tmp_path: Path) -> None:
    if not (verifier := shutil.which("systemd-analyze")):
        return
    text = file.read_text().replace("/opt/signalbox/bin/signalbox", str(Path(sys.executable).parent / "signalbox"))
    (tmp_path / file.name).write_text(text)
    # A template is verified as an instance.
    unit = tmp_path / file.name.replace("@.", "@8001.")
    result = subprocess.run([verifier, "verify", "--man=no", unit], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_product_locks_are_subsets_of_the_checkout_lock() -> None:
    def pins(path: Path) -> set[str]:
        return {line.partition(" ")[0] for line in path.read_text().splitlines() if re.match(r"\w", line)}

    product, everything = pins(ROOT / "deploy" / "requirements.lock"), pins(ROOT / "requirements.lock")
    with_drivers = pins(ROOT / "deploy" / "requirements-postgresql.lock")
    assert product < with_drivers < everything
    assert {pin.partition("==")[0] for pin in with_drivers - product} >= {"psycopg", "psycopg-binary", "redis"}
    assert not {"pytest", "mypy", "ruff", "playwright"} & {pin.partition("==")[0] for pin in with_drivers}


def test_the_example_proxies_pass_the_longest_bodies_of_the_server() -> None:
    settings = Settings()
    longest = max(settings.max_body, settings.max_artifact, settings.max_otlp_body)
    limits = [
        limit
        for name in ("deploy/nginx.conf", "examples/proxies/nginx.conf", "deploy/kubernetes/ingress.yaml")
        for limit in re.findall(r"(?:client_max_body_size|proxy-body-size:) (\d+)m", (ROOT / name).read_text())
    ]
    assert [int(limit) * 1024 * 1024 for limit in limits] == [longest] * 3
