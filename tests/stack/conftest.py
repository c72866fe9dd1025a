"""Connect the tests of a running stack to the environment named on the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from kubernetes import client, config
from world import Stack, eventually, kubectl, ready_with


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take what the environment is called and where it listens."""
    group = parser.getgroup("stack")
    group.addoption("--cluster", required=True, help="name of the kind cluster")
    group.addoption("--workers", type=int, required=True, help="worker nodes")
    group.addoption("--registry", required=True, help="host:port of the registry")
    group.addoption("--namespaces", required=True, help="what the operator watches: a,b or nothing")
    group.addoption("--state", type=Path, required=True, help="the environment's state directory")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what needs a node to lose where there is only one."""
    return (
        True
        if collection_path.name == "test_nodes.py" and not config.getoption("--workers")
        else None
    )


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The environment named on the command line."""
    option = request.config.getoption
    state: Path = option("--state")
    api = config.new_client_from_config(str(state / "kubeconfig"))
    with contextlib.closing(docker.from_env()) as engine:
        yield Stack(
            cluster=option("--cluster"),
            workers=option("--workers"),
            registry=option("--registry"),
            namespaces=tuple(name for name in option("--namespaces").split(",") if name),
            state=state,
            core=client.CoreV1Api(api),
            apps=client.AppsV1Api(api),
            custom=client.CustomObjectsApi(api),
            storage=client.StorageV1Api(api),
            engine=engine,
        )
    api.close()


@pytest.fixture
def scaled_back(stack: Stack) -> Iterator[None]:
    """See to it that the example has its three pods again."""
    yield
    kubectl(stack, "scale", "imoocpod/example-imoocpod", "--replicas=3")
    eventually(stack.imoocpod, ready_with(3))


@pytest.fixture
def elsewhere(stack: Stack) -> Iterator[str]:
    """A namespace that no inventory names, with an ImoocPod in it."""
    made = stack.core.create_namespace({"metadata": {"generateName": "elsewhere-"}})
    name: str = made.metadata.name
    body = {
        "apiVersion": "k8s.imooc.com/v1alpha1",
        "kind": "ImoocPod",
        "metadata": {"name": "web"},
        "spec": {"replicas": 2},
    }
    stack.custom.create_namespaced_custom_object(
        "k8s.imooc.com", "v1alpha1", name, "imoocpods", body
    )
    yield name
    stack.core.delete_namespace(name)


@pytest.fixture
def scratch_pod(stack: Stack) -> Iterator[Callable[..., Any]]:
    """Run a throw-away busybox pod and return its end state; all are deleted afterwards."""
    made: list[str] = []

    def run(name: str, image: str, command: list[str], **spec: Any) -> Any:
        body = {
            "metadata": {"name": name},
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "main", "image": image, "command": command}],
            }
            | spec,
        }
        stack.core.create_namespaced_pod("default", body)
        made.append(name)
        return eventually(
            lambda: stack.core.read_namespaced_pod(name, "default"),
            lambda pod: pod.status.phase in {"Running", "Succeeded", "Failed"},
        )

    yield run
    for name in made:
        stack.core.delete_namespaced_pod(name, "default", grace_period_seconds=0)


@pytest.fixture
def busybox(stack: Stack) -> str:
    """The image the operator's pods run, by digest in the local registry."""
    image: str = stack.pods()[0].spec.containers[0].image
    return image
