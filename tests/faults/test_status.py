"""`make status` on a real stack, whole and broken: what it says is true, and its cures cure."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from environments import PROJECT, Environment, Run
from kubernetes import client, config
from world import eventually

STATUS = "playbooks/status.yml"
HOME = "imoocpod-operator"


@dataclass(frozen=True)
class Status:
    """How a status run ended, and what it wrote."""

    run: Run
    data: Any

    @property
    def problems(self) -> list[str]:
        """What is said to be wrong."""
        return [finding["problem"] for finding in self.data["findings"]]


def status(environment: Environment, **variables: object) -> Status:
    """Take a status; it changes nothing, and its files are of this very run."""
    data = environment.state / "status.json"
    data.unlink(missing_ok=True)
    run = environment.run(playbook=STATUS, variables=variables)
    assert run.changed == 0, run.output
    return Status(run, json.loads(data.read_text()) if data.exists() else None)


def cured(environment: Environment, taken: Status) -> Status:
    """Do what the first finding says, and return the status once all is up again."""
    words = shlex.split(taken.data["findings"][0]["cure"])
    assert words[:3] == ["make", "up", f"ENV={environment.name}"], words
    arguments = shlex.split(words[3].removeprefix("ARGS=")) if words[3:] else []
    up = environment.run(*arguments, variables={"kind_cluster_workers": 1})
    assert up.code == 0, up.output
    # The operator's replicas agree on a leader, and look, after the run that started them.
    return eventually(lambda: status(environment), lambda seen: seen.data["verdict"] == "up")


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment of which there is nothing; what a test makes of it is taken down."""
    environment = Environment.create("status", tmp_path_factory.mktemp("inventory"))
    try:
        yield environment
    finally:
        down = environment.run(playbook="playbooks/down.yml")
        assert down.code == 0, down.output


@pytest.fixture(scope="module")
def environment(nothing: Environment) -> Environment:
    """A whole stack on two nodes."""
    up = nothing.run(variables={"kind_cluster_workers": 1})
    assert up.code == 0, up.output
    eventually(lambda: status(nothing), lambda seen: seen.data["verdict"] == "up")
    return nothing


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    """The machine's engine."""
    with contextlib.closing(docker.from_env(timeout=30)) as found:
        yield found


@pytest.fixture(scope="module")
def core(environment: Environment) -> Iterator[Any]:
    """The official client's view of the cluster."""
    api = config.new_client_from_config(str(environment.state / "kubeconfig"))
    yield client.CoreV1Api(api)
    api.close()


def node(engine: docker.DockerClient, environment: Environment, role: str) -> Container:
    """Return a node of the environment."""
    return engine.containers.get(f"imooc-{environment.name}-{role}")


def test_of_nothing_it_says_so_and_writes_nothing(nothing: Environment) -> None:
    taken = status(nothing)
    assert taken.run.code == 2
    assert "environment status: absent" in taken.run.output
    assert "-> make up ENV=status" in taken.run.output
    assert not nothing.state.exists()


def test_what_it_says_is_what_others_see(environment: Environment, core: Any) -> None:
    taken = status(environment)
    assert taken.run.code == 0, taken.run.output
    assert taken.problems == []
    pods = {pod.metadata.name: pod for pod in core.list_pod_for_all_namespaces().items}
    told = taken.data["cluster"]
    own = [pod for item in told["resources"] for pod in item["pods"]]
    listed = [*own, *told["operator"]["replicas"], *told["pods"]]
    assert {pod["name"]: pod["node"] for pod in listed} == {
        name: pod.spec.node_name for name, pod in pods.items()
    }
    assert len(own) == 3
    replicas = {pod["name"]: pod["leads"] for pod in told["operator"]["replicas"]}
    assert sorted(replicas.values()) == [False, True]
    assert sorted(taken.data["metrics"]["replicas"]) == sorted(replicas)
    assert taken.data["metrics"]["passes"]["success"] > 0
    assert taken.data["metrics"]["queue"]["depth"] == 0
    kinds = {row["kind"]: row["keys"] for row in taken.data["etcd"]["kinds"]}
    assert kinds["pods"] == len(pods)
    assert kinds["nodes"] == 2
    assert kinds["k8s.imooc.com/imoocpods"] == 1
    assert sum(kinds.values()) == taken.data["etcd"]["keys"]
    assert taken.data["etcd"]["database_bytes"] > 1e6
    assert {"busybox", HOME} == {row["repository"] for row in taken.data["registry"]["images"]}
    assert taken.data["run"]["failed"] == ""
    assert [step["step"] for step in taken.data["run"]["steps"]][-1] == "summary"


def test_it_shows_the_page_and_the_data(environment: Environment) -> None:
    output = status(environment).run.output
    screen = output[output.rindex("environment status: up") :]
    assert len(screen.splitlines()) <= 24
    for name in ("report.html", "status.json"):
        assert f"{environment.state}/{name}" in screen
    assert "<title>status is up</title>" in (environment.state / "report.html").read_text()


def test_an_operator_at_zero_is_told_and_cured(environment: Environment) -> None:
    kubeconfig = f"--kubeconfig={environment.state}/kubeconfig"
    scale = ["scale", "deployment", HOME, "--namespace", HOME, "--replicas=0"]
    subprocess.run([PROJECT / "bin/kubectl", kubeconfig, *scale], check=True, timeout=60)
    taken = status(environment)
    assert taken.run.code == 2
    assert taken.data["verdict"] == "degraded"
    assert taken.problems == [
        f"the operator {HOME}/{HOME} is scaled to 0: nobody looks after ImoocPods"
    ]
    assert status(environment, status_must_be_up=False).run.code == 0
    assert cured(environment, taken).problems == []


def test_a_stopped_worker_is_told_and_cured(
    environment: Environment, engine: docker.DockerClient
) -> None:
    node(engine, environment, "worker").stop(timeout=5)
    taken = status(environment)
    assert taken.run.code == 2
    assert taken.data["verdict"] == "degraded"
    assert taken.problems[0] == f"the node imooc-{environment.name}-worker is stopped"
    assert cured(environment, taken).problems == []


def test_a_stopped_control_plane_is_told_and_cured(
    environment: Environment, engine: docker.DockerClient
) -> None:
    node(engine, environment, "control-plane").stop(timeout=5)
    taken = status(environment)
    assert taken.run.code == 2
    assert taken.data["verdict"] == "down"
    assert taken.problems == [f"the node imooc-{environment.name}-control-plane is stopped"]
    assert "missing" in taken.data["cluster"]
    assert cured(environment, taken).problems == []


def test_what_hangs_is_not_waited_for(
    environment: Environment, engine: docker.DockerClient
) -> None:
    frozen = [
        node(engine, environment, "control-plane"),
        engine.containers.get(f"imooc-{environment.name}-registry"),
    ]
    for container in frozen:
        container.pause()
    try:
        taken = status(environment)
    finally:
        for container in frozen:
            container.unpause()
    assert taken.run.code == 2
    assert taken.data["verdict"] == "down"
    assert taken.problems == [
        f"the node imooc-{environment.name}-control-plane is paused",
        f"the registry imooc-{environment.name}-registry is paused",
    ]
    asked = ("cluster", "metrics", "etcd", "registry")
    told = [taken.data[part]["missing"] for part in asked]
    assert [why for why in told if "answer" not in why] == []


def test_a_lost_registry_is_told_and_cured(
    environment: Environment, engine: docker.DockerClient
) -> None:
    engine.containers.get(f"imooc-{environment.name}-registry").remove(v=True, force=True)
    taken = eventually(lambda: status(environment), lambda seen: len(seen.problems) == 1)
    assert taken.run.code == 2
    assert taken.problems == [f"there is no registry imooc-{environment.name}-registry"]
    assert cured(environment, taken).problems == []
