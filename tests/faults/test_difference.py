"""A cluster that differs from what is wanted is refused, or made anew where that is allowed."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container
from environments import Environment

RECREATE = {"kind_cluster_allow_recreate": True}
KUBEADM_PATCH = "kind: ClusterConfiguration\napiServer:\n  extraArgs:\n  - {name: v, value: '3'}\n"
CONTAINERD_PATCH = '[plugins."io.containerd.cri.v1.runtime"]\nmax_container_log_line_size = 8192\n'


def free_port() -> int:
    """Return a port that nobody uses, below those that outgoing connections are given."""
    for port in range(21000, 22000):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port from 21000 to 21999 is free")


PORT = free_port()
WISHES: dict[str, object] = {
    "kind_cluster_port_mappings": [{"container_port": 30080, "host_port": PORT}],
    "kind_cluster_feature_gates": {"InPlacePodVerticalScaling": True},
    "kind_cluster_kubeadm_patches": [KUBEADM_PATCH],
    "kind_cluster_containerd_patches": [CONTAINERD_PATCH],
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment with a cluster of the default variables."""
    folder = tmp_path_factory.mktemp("inventory")
    tags = "preflight,engine,images,cluster,registry,build"
    with Environment.temporary("different", folder, tags) as environment:
        yield environment


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    """The machine's engine."""
    with contextlib.closing(docker.from_env(timeout=30)) as client:
        yield client


def control_plane(engine: docker.DockerClient, environment: Environment) -> Container:
    """Return the environment's control plane."""
    return engine.containers.get(f"imooc-{environment.name}-control-plane")


def printed(node: Container, *argv: str) -> str:
    """Return what a command in the node prints."""
    output = node.exec_run(list(argv)).output
    assert isinstance(output, bytes)
    return output.decode()


def test_a_difference_is_shown_and_refused(
    environment: Environment, engine: docker.DockerClient
) -> None:
    before = control_plane(engine, environment).id
    wanted = {**WISHES, "kind_cluster_workers": 1, "kind_cluster_pod_subnet": "10.8.0.0/16"}
    run = environment.run("--tags", "cluster", variables=wanted)
    told = " ".join(run.output.split())
    assert run.code != 0, run.output
    assert run.changed == 0
    for line in (
        "workers: the cluster has 0, wanted is 1",
        "pod_subnet: the cluster has 10.244.0.0/16, wanted is 10.8.0.0/16",
        "feature_gates.InPlacePodVerticalScaling: the cluster has nothing, wanted is true",
        "kind_cluster_allow_recreate=true",
    ):
        assert line in told
    assert control_plane(engine, environment).id == before


@pytest.mark.parametrize(
    ("step", "made", "before"), [("operator", [], "rbac"), ("operator", ["rbac"], "crd")]
)
def test_a_step_in_the_middle_names_the_one_before(
    environment: Environment, step: str, made: list[str], before: str
) -> None:
    if made:
        assert environment.run("--tags", ",".join(made)).code == 0
    run = environment.run("--tags", step)
    assert run.code != 0, run.output
    assert f"site.yml --tags {before}" in " ".join(run.output.split())


def test_where_it_is_allowed_the_cluster_is_what_was_wished(
    environment: Environment, engine: docker.DockerClient
) -> None:
    before = control_plane(engine, environment).id
    run = environment.run("--tags", "cluster", variables={**WISHES, **RECREATE})
    assert run.code == 0, run.output
    node = control_plane(engine, environment)
    assert node.id != before

    bindings = node.attrs["HostConfig"]["PortBindings"]["30080/tcp"]
    assert bindings == [{"HostIp": "127.0.0.1", "HostPort": str(PORT)}]
    manifest = printed(node, "cat", "/etc/kubernetes/manifests/kube-apiserver.yaml")
    assert re.search(r"--feature-gates=\S*InPlacePodVerticalScaling=true", manifest)
    assert "--v=3" in manifest
    assert "max_container_log_line_size = 8192" in printed(node, "containerd", "config", "dump")


def test_the_same_wish_again_changes_nothing(environment: Environment) -> None:
    """The patches are compared by what they say, not by how they are written."""
    reworded = {
        "kind_cluster_kubeadm_patches": [
            "# the API server's log\nkind: ClusterConfiguration\n"
            "apiServer: {extraArgs: [{value: '3', name: v}]}\n"
        ]
    }
    run = environment.run("--tags", "cluster", variables={**WISHES, **reworded})
    assert (run.code, run.changed) == (0, 0), run.output
