"""Images and tools saved on one machine serve another that has neither network nor images.

The other machine is an engine of its own: same programs, nothing in it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from environments import Environment, Run

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("dockerd") is None,
    reason="a second engine needs root, and Docker Engine on this machine",
)
PLAYBOOK = "playbooks/images_bundle.yml"
SECONDS_TO_START = 60
IN_THE_MIDDLE = 300_000_000


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment of which there are images and tools."""
    folder = tmp_path_factory.mktemp("inventory")
    with Environment.temporary("bundle", folder, "preflight,engine,images") as environment:
        yield environment


@pytest.fixture(scope="module")
def other_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a second engine without network, gone with all it held afterwards."""
    folder = tmp_path_factory.mktemp("engine")
    address = f"unix://{folder}/docker.sock"
    command = [
        # In a network of its own: `--bridge=none` makes a daemon delete docker0 wherever it runs.
        *("unshare", "--net"),
        *("dockerd", "--host", address, "--data-root", f"{folder}/data"),
        *("--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"),
        *("--bridge=none", "--iptables=false", "--ip-masq=false"),
    ]
    log = folder / "log"
    with log.open("wb") as stream:
        daemon = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while not answers(address):
            assert daemon.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield address
    finally:
        daemon.terminate()
        daemon.wait(SECONDS_TO_START)
        shutil.rmtree(folder)


def answers(address: str) -> bool:
    """Return whether an engine answers at the address."""
    asked = subprocess.run(["docker", "--host", address, "version"], capture_output=True)
    return asked.returncode == 0


@pytest.fixture(scope="module")
def bundle(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What was saved on this machine."""
    folder = tmp_path_factory.mktemp("bundle")
    path = folder / "imooc.tar"
    variables = {"images_bundle_action": "save", "images_bundle_path": str(path)}
    run = environment.run(playbook=PLAYBOOK, variables=variables)
    assert run.code == 0, run.output
    yield path
    shutil.rmtree(folder)


def load(environment: Environment, bundle: Path, engine: str, machine: Path) -> Run:
    """Load a bundle into another engine, the tools into a folder of that machine."""
    return environment.run(
        playbook=PLAYBOOK,
        variables={
            "images_bundle_action": "load",
            "images_bundle_path": str(bundle),
            "images_bin_dir": f"{machine}/bin",
            "images_cache_dir": f"{machine}/cache",
        },
        environ={"DOCKER_HOST": engine},
    )


def images(address: str) -> set[str]:
    """Return the ids of all images that an engine holds."""
    with contextlib.closing(docker.DockerClient(address)) as client:
        return {str(image.id) for image in client.images.list()}


def test_a_damaged_bundle_is_refused_before_anything_is_loaded(
    environment: Environment, bundle: Path, other_engine: str, tmp_path: Path
) -> None:
    with bundle.open("r+b") as file:
        file.seek(IN_THE_MIDDLE)
        byte = file.read(1)
        file.seek(IN_THE_MIDDLE)
        file.write(bytes([byte[0] ^ 1]))
    try:
        run = load(environment, bundle, other_engine, tmp_path)
    finally:
        with bundle.open("r+b") as file:
            file.seek(IN_THE_MIDDLE)
            file.write(byte)
    assert run.code != 0, run.output
    assert "is damaged" in run.output
    assert images(other_engine) == set()
    assert not (tmp_path / "bin").exists()


def test_what_was_saved_serves_another_machine(
    environment: Environment, bundle: Path, other_engine: str, tmp_path: Path
) -> None:
    run = load(environment, bundle, other_engine, tmp_path)
    assert run.code == 0, run.output
    assert len(images(other_engine)) == 4
    for tool in ("kind", "kubectl", "etcdctl"):
        program = tmp_path / "bin" / tool
        subprocess.run([program, "--help"], check=True, capture_output=True)
    again = load(environment, bundle, other_engine, tmp_path)
    assert (again.code, again.changed) == (0, 0), again.output
