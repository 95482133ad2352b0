"""Performs the steps of the Containerfile in a folder, without a container engine, and starts the resulting server.

python -m scripts.container_steps FOLDER [--offline]

A path in the image such as /opt/signalbox becomes FOLDER/image/opt/signalbox. The Python that runs this script stands
in for the base image's Python, and no user is created. With --offline the dependencies come from the running
environment, once it is known to have the locked versions.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
IMAGE_ROOT = re.compile(r"(?<![\w.])/(?=(?:build|data|opt)\b)")
ROOT_ONLY = ("useradd", "chown")
"""Commands that need root; they are replaced by `true`."""


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield the instructions of a Containerfile, each with its arguments joined into one line."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, arguments = line.partition(" ")
        yield name.upper(), arguments.strip()


@dataclass
class Image:
    """An image: its files are below `folder`; the other fields say how to run it."""

    folder: Path
    workdir: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    build_arguments: dict[str, str] = field(default_factory=dict)
    user: str = "0"
    volumes: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def here(self, text: str) -> str:
        """Replace paths in the image by paths on this machine."""
        return IMAGE_ROOT.sub(f"{self.folder}/", text)

    def path(self, inside: str) -> Path:
        """Return where a path in the image lies on this machine."""
        return self.folder / os.path.normpath(f"{self.workdir}/{inside}" if inside[0] != "/" else inside).lstrip("/")

    def variables(self, **variables: str) -> dict[str, str]:
        """Return the environment variables of a process in this image."""
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("SIGNALBOX_", "PYTHON"))}
        tools = f"{self.folder}-tools:{Path(sys.executable).parent}:{outer['PATH']}"
        path = self.environment.get("PATH", "$PATH").replace("$PATH", tools)
        return outer | self.environment | {"PATH": path} | variables

    def run(self, command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command in this image and capture its output."""
        return subprocess.run(
            [self.here(word) for word in command],
            cwd=self.path("."),
            env=self.variables(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def build(folder: Path, *, offline: bool = False) -> Image:
    """Perform all steps in `folder`, which must be empty. Raises RuntimeError if a step fails."""
    tools = folder / "image-tools"
    tools.mkdir()
    for name in ROOT_ONLY:
        (tools / name).symlink_to(shutil.which("true") or "/bin/true")
    stages: dict[str, Path] = {}
    stage, image = "", Image(folder / "image")
    for name, arguments in instructions((ROOT / "Containerfile").read_text()):
        match name:
            case "FROM":
                if stage:
                    # Scripts contain the path of their interpreter, so each stage is built at the same path.
                    stages[stage] = image.folder.rename(folder / f"stage-{stage}")
                stage = arguments.partition(" AS ")[2] or "last"
                image = Image(folder / "image")
                image.folder.mkdir()
            case "ARG":
                argument, _, default = arguments.partition("=")
                image.build_arguments[argument] = default
            case "WORKDIR":
                image.workdir = arguments
                image.path(".").mkdir(parents=True, exist_ok=True)
            case "COPY":
                _copy(image, arguments, stages)
            case "RUN":
                _run(image, arguments, offline)
            case "ENV":
                for setting in shlex.split(arguments):
                    key, _, value = setting.partition("=")
                    image.environment[key] = image.here(value)
            case "USER":
                image.user = arguments
            case "VOLUME":
                image.volumes.append(arguments)
            case "HEALTHCHECK":
                image.health = json.loads(arguments.partition("CMD")[2])
            case "ENTRYPOINT":
                image.entrypoint = json.loads(arguments)
            case "CMD":
                image.command = json.loads(arguments)
            case "EXPOSE":
                pass
            case _:
                raise RuntimeError(f"this script does not support the instruction {name}")
    return image


def _copy(image: Image, arguments: str, stages: Mapping[str, Path]) -> None:
    *sources, destination = arguments.split()
    origin = ROOT
    if sources[0].startswith("--from="):
        origin = stages[sources.pop(0).removeprefix("--from=")]
    target = image.path(destination)
    for source in sources:
        for start in sorted(origin.glob(source.lstrip("/"))):
            if start.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(start, target, symlinks=True, ignore=ignored, dirs_exist_ok=True)
            else:
                into = target / start.name if destination.endswith("/") else target
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(start, into)


def _run(image: Image, arguments: str, offline: bool) -> None:
    for name, value in image.build_arguments.items():
        arguments = arguments.replace(f"${name}", value)
    if offline and (lock := re.search(r"--python (\S+)/bin/python install .*--requirement (\S+)", arguments)):
        _take_dependencies(image.path(lock[1]), image.path(lock[2]))
        return
    if offline:
        arguments = arguments.replace(" install ", " install --no-index --no-build-isolation --ignore-installed ")
    process = image.run(["sh", "-ec", arguments])
    if process.returncode:
        raise RuntimeError(f"RUN {arguments}\n{process.stdout}")


def _take_dependencies(venv: Path, lock: Path) -> None:
    """Let the venv use the running environment's packages, which must have the locked versions."""
    for entry in re.split(r"\n(?=\S)", lock.read_text().strip()):
        pin = Requirement(entry.partition("\\")[0])
        if (pin.marker is None or pin.marker.evaluate()) and not pin.specifier.contains(version(pin.name)):
            raise RuntimeError(f"{lock.name} requires {pin}, but {version(pin.name)} is installed here")
    paths = sysconfig.get_paths(scheme="venv", vars={"base": str(venv), "platbase": str(venv)})
    (Path(paths["purelib"]) / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])


def check(image: Image, **settings: str) -> None:
    """Start the image's command, and run its health check while it runs and after it stopped. Raises RuntimeError."""
    program = shutil.which(image.entrypoint[0], path=image.variables()["PATH"]) or ""
    if not program.startswith(f"{image.folder}/"):
        raise RuntimeError(f"{image.entrypoint[0]} is not in the image")
    with socket.create_server(("127.0.0.1", 0)) as free:
        variables = {"SIGNALBOX_PORT": str(free.getsockname()[1]), **settings}
    process = image.run([program, "token", "create", "first"], **variables)
    if process.returncode:
        raise RuntimeError(process.stdout)
    log = image.folder / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [program, *image.command],
            cwd=image.path("."),
            env=image.variables(**variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        last, until = image.run(image.health, **variables), time.monotonic() + 30
        while last.returncode and server.poll() is None and time.monotonic() < until:
            time.sleep(0.2)
            last = image.run(image.health, **variables)
        if last.returncode:
            raise RuntimeError(f"the health check fails: {last.stdout}\n{log.read_text()}")
    finally:
        server.terminate()
        server.wait(20)
    if not image.run(image.health, **variables).returncode:
        raise RuntimeError("the health check succeeds without a server")


def main() -> None:
    """Build the image in the given folder and check it."""
    parser = argparse.ArgumentParser(description="Performs the steps of the Containerfile in an empty folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--offline", action="store_true", help="dependencies from the running environment")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if any(options.folder.iterdir()):
        parser.error(f"{options.folder} is not empty")
    image = build(options.folder.resolve(), offline=options.offline)
    check(image)
    print(f"The image is in {image.folder}; its server starts and is healthy.")


if __name__ == "__main__":
    main()
