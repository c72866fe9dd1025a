"""Bad input stops a run before anything changes, in one report that names every cure."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container
from environments import Environment, Run

IMAGE = "imooc-faults:1"
FAULT = re.compile(r"^ *\d+\. \[(\w+)\] (\S+) = (.+)$\n^ +cure: (.+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment of which nothing exists but what a test makes."""
    environment = Environment.create("faults", tmp_path_factory.mktemp("inventory"))
    yield environment
    shutil.rmtree(environment.state, ignore_errors=True)


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    """The machine's engine, with an empty image for containers that never run."""
    with contextlib.closing(docker.from_env(timeout=30)) as client:
        empty = io.BytesIO()
        tarfile.open(fileobj=empty, mode="w").close()
        client.api.import_image_from_data(empty.getvalue(), repository="imooc-faults", tag="1")
        yield client
        client.images.remove(IMAGE)


@contextlib.contextmanager
def container(
    engine: docker.DockerClient, name: str, labels: dict[str, str] | None = None
) -> Iterator[Container]:
    """A container of somebody else's; it is never started."""
    foreign = engine.containers.create(IMAGE, command=["none"], name=name, labels=labels)
    try:
        yield foreign
    finally:
        foreign.remove(v=True, force=True)


@contextlib.contextmanager
def busy_port() -> Iterator[int]:
    """A port of the loopback address on which this process listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def faults(run: Run) -> dict[str, tuple[str, str]]:
    """Return value with problem, and cure, by variable; fail where the run did not."""
    assert run.code != 0, run.output
    assert "nothing has been changed" in run.output
    return {match[2]: (match[3], match[4]) for match in FAULT.finditer(run.output)}


def test_a_sound_machine_passes(environment: Environment) -> None:
    run = environment.run("--tags", "preflight")
    assert run.code == 0, run.output
    assert run.changed == 0


def test_a_busy_port_is_named_with_who_holds_it(environment: Environment) -> None:
    with busy_port() as port:
        run = environment.run("--tags", "preflight", variables={"registry_port": port})
    problem, cure = faults(run)["registry_port"]
    assert problem.startswith(f"{port}: is in use by ")
    assert f"(pid {os.getpid()})" in problem
    assert "registry_port" in cure


def test_a_fault_stops_a_whole_run_before_the_first_change(
    environment: Environment, engine: docker.DockerClient
) -> None:
    with busy_port() as port:
        run = environment.run(variables={"registry_port": port})
    assert list(faults(run)) == ["registry_port"]
    assert "container_engine : " not in run.output
    label = f"com.imooc.environment={environment.name}"
    assert engine.containers.list(all=True, filters={"label": label}) == []


def test_an_engine_that_was_chosen_and_does_not_answer(
    environment: Environment, tmp_path: Path
) -> None:
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(dead))
    environ = {"DOCKER_HOST": f"unix://{dead}"}
    problem, cure = faults(environment.run("--tags", "preflight", environ=environ))["DOCKER_HOST"]
    assert str(dead) in problem
    assert "unset DOCKER_HOST" in cure


@pytest.mark.parametrize("step", ["preflight", "registry"])
def test_wrong_variables(environment: Environment, step: str) -> None:
    """Whole runs and single steps say the same."""
    wrong: dict[str, tuple[object, str]] = {
        "registry_port": (70000, "an int between 1 and 65535"),
        "kind_cluster_workers": (-1, "an int between 0 and 20"),
        "kind_cluster_wait_timeout": ("long", "an int between"),
        "kind_cluster_allow_recreate": ("perhaps", "a bool"),
        "images_source": ("sometimes", "auto, pull, build"),
        "registry_aliases": ({"a": 1}, "a list of str"),
        "preflight_memory_mib": ("much", "an int between"),
    }
    values = {variable: value for variable, (value, _) in wrong.items()}
    found = faults(environment.run("--tags", step, variables=values))
    assert found.keys() == wrong.keys()
    for variable, (value, cure) in wrong.items():
        assert found[variable][0].startswith(f"{value!r}: ")
        assert f"set {variable} to" in found[variable][1]
        assert cure in found[variable][1]


def test_an_environment_name_that_no_host_could_have(tmp_path: Path) -> None:
    environment = Environment.create("Not_A_Name", tmp_path)
    try:
        problem, cure = faults(environment.run("--tags", "preflight"))["environment_name"]
    finally:
        shutil.rmtree(environment.state, ignore_errors=True)
    assert problem.startswith("Not_A_Name: ")
    assert "rename" in cure


def test_a_foreign_cluster_with_our_name(
    environment: Environment, engine: docker.DockerClient
) -> None:
    name = f"imooc-{environment.name}"
    labels = {"io.x-k8s.kind.cluster": name, "io.x-k8s.kind.role": "control-plane"}
    with container(engine, f"{name}-control-plane", labels):
        problem, cure = faults(environment.run("--tags", "preflight"))["kind_cluster_name"]
    assert problem.startswith(f"{name}: ")
    assert f"{name}-control-plane" in problem
    assert "choose another environment name" in cure


def test_a_foreign_container_with_the_name_of_our_registry(
    environment: Environment, engine: docker.DockerClient
) -> None:
    name = f"imooc-{environment.name}-registry"
    with container(engine, name):
        problem, cure = faults(environment.run("--tags", "preflight"))["registry_name"]
    assert problem.startswith(f"{name}: ")
    assert f"docker rm -f {name}" in cure


def test_a_container_with_the_label_of_this_environment_is_not_foreign(
    environment: Environment, engine: docker.DockerClient
) -> None:
    name = f"imooc-{environment.name}-registry"
    with container(engine, name, {"com.imooc.environment": environment.name}):
        run = environment.run("--tags", "preflight")
    assert run.code == 0, run.output


def test_a_stale_kubeconfig_is_noticed_and_stops_nothing(environment: Environment) -> None:
    environment.state.mkdir(parents=True, exist_ok=True)
    kubeconfig = environment.state / "kubeconfig"
    kubeconfig.write_text("apiVersion: v1\nkind: Config\n")
    try:
        run = environment.run("--tags", "preflight")
    finally:
        kubeconfig.unlink()
    assert run.code == 0, run.output
    assert "kubeconfig of this environment is stale" in run.output


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting the full disk's stand-in needs root")
def test_a_full_disk(environment: Environment, tmp_path: Path) -> None:
    options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    subprocess.run(["mount", *options], check=True)
    try:
        run = environment.run(
            "--tags", "preflight", variables={"images_cache_dir": f"{tmp_path}/cache/imooc"}
        )
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    problem, cure = faults(run)["preflight_disk_cache_gib"]
    assert problem.startswith(f"{tmp_path}/cache/imooc: 0.0 GiB free")
    assert "free space there" in cure


def test_all_faults_come_in_one_report(environment: Environment) -> None:
    with busy_port() as port:
        run = environment.run(
            "--tags",
            "preflight",
            variables={"registry_port": port, "images_source": "sometimes"},
            environ={"DOCKER_HOST": "tcp://127.0.0.1:1"},
        )
    assert faults(run).keys() == {"registry_port", "images_source", "DOCKER_HOST"}
    assert "preflight found 3 faults" in run.output


def test_a_misspelt_variable_is_noticed(environment: Environment) -> None:
    run = environment.run("--tags", "preflight", variables={"kind_cluster_worker": 2})
    assert "did you mean kind_cluster_workers?" in run.output
