"""The operator's own replicas: one dies, all are exchanged, and no pod of an ImoocPod notices."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
from collections.abc import Iterator
from contextlib import closing
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

import pytest
from kubernetes.client import ApiException
from world import Stack, acts, eventually, kubectl, ready_with

DEPLOYMENT = "deployment/imoocpod-operator"
HOME = "imoocpod-operator"


def state(pods: list[Any]) -> dict[str, int]:
    """Return uid and restarts of pods."""
    return {pod.metadata.uid: pod.status.container_statuses[0].restart_count for pod in pods}


def ready(pods: list[Any]) -> bool:
    """Whether there are two, and both are ready."""
    statuses = [status for pod in pods for status in pod.status.container_statuses or []]
    return len(pods) == len(statuses) == 2 and all(status.ready for status in statuses)


def registry(
    stack: Stack, method: str, target: str, body: bytes = b"", **headers: str
) -> tuple[Message, bytes]:
    """Ask the registry something; return headers and body of its answer."""
    connection = http.client.HTTPConnection(stack.registry, timeout=10)
    with closing(connection):
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        content = answer.read()
    assert answer.status < 300, content
    return answer.headers, content


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def another_version(stack: Stack) -> Iterator[str]:
    """An image of the operator with another digest; the one before runs again afterwards."""
    running = eventually(stack.operators, ready)[0].spec.containers[0].image
    name, _, before = running.partition("@")
    repository = f"/v2/{name.removeprefix(f'{stack.registry}/')}"
    oci = "application/vnd.oci.image.manifest.v1+json"
    _, content = registry(stack, "GET", f"{repository}/manifests/{before}", Accept=oci)
    manifest = json.loads(content)
    _, content = registry(stack, "GET", f"{repository}/blobs/{manifest['config']['digest']}")
    config = json.loads(content)
    config["config"]["Labels"]["org.opencontainers.image.version"] = "another"
    blob = json.dumps(config).encode()
    upload, _ = registry(stack, "POST", f"{repository}/blobs/uploads/")
    place = urlsplit(upload["Location"])
    registry(stack, "PUT", f"{place.path}?{place.query}&digest={digest(blob)}", blob)
    manifest["config"] |= {"digest": digest(blob), "size": len(blob)}
    body = json.dumps(manifest).encode()
    by_digest = f"{repository}/manifests/{digest(body)}"
    registry(stack, "PUT", by_digest, body, **{"Content-Type": manifest["mediaType"]})
    yield f"{name}@{digest(body)}"
    roll_out(stack, running)


def roll_out(stack: Stack, image: str) -> None:
    """Have the operator run `image`, and wait until it does and one of the new replicas leads."""
    kubectl(stack, "set", "image", "-n", HOME, DEPLOYMENT, f"imoocpod-operator={image}")
    kubectl(stack, "rollout", "status", "-n", HOME, DEPLOYMENT, "--timeout=80s")
    pods = eventually(
        stack.operators,
        lambda pods: ready(pods) and {pod.spec.containers[0].image for pod in pods} == {image},
    )
    eventually(stack.leader, lambda name: name in {pod.metadata.name for pod in pods})


def test_an_upgrade_of_the_operator_touches_no_pod_of_its_imoocpods(
    stack: Stack, another_version: str
) -> None:
    before = state(stack.pods())
    roll_out(stack, another_version)
    assert state(stack.pods()) == before
    assert set(state(stack.operators()).values()) == {0}, "no replica needed a second start"
    acts(stack)
    assert state(stack.pods()) == before


def test_a_leader_that_stops_is_followed_at_once(stack: Stack) -> None:
    eventually(stack.operators, ready)
    leader = eventually(stack.leader, bool)
    stack.core.delete_namespaced_pod(leader, HOME)
    # Much less than the lease's 15 s: it is released.
    eventually(stack.leader, lambda name: name not in ("", leader), within=10)
    acts(stack)


def test_a_killed_leader_is_followed_when_its_lease_ends(stack: Stack) -> None:
    pods = {pod.metadata.name: pod for pod in eventually(stack.operators, ready)}
    holder = eventually(stack.holder, bool)
    leader = pods[stack.leader()]
    before = state(stack.pods())
    container = leader.status.container_statuses[0].container_id.removeprefix("containerd://")
    node = stack.engine.containers.get(leader.spec.node_name)
    kill = ["ctr", "--namespace=k8s.io", "tasks", "kill", "--signal=SIGKILL", container]
    assert node.exec_run(kill).exit_code == 0
    victim = stack.pods()[0]
    stack.core.delete_namespaced_pod(victim.metadata.name, "default", grace_period_seconds=0)
    # The lease lasts 15 s, a standby tries every 2 s; the rest is for a busy machine.
    eventually(stack.holder, lambda name: name not in ("", holder), within=30)
    eventually(lambda: len(stack.pods()), (3).__eq__)
    eventually(stack.imoocpod, ready_with(3))
    after = state(stack.pods())
    assert len(after.items() & before.items()) == 2, "the others were left alone"
    eventually(stack.operators, ready)


def test_two_replicas_are_not_taken_at_once(stack: Stack) -> None:
    first, second = (pod.metadata.name for pod in eventually(stack.operators, ready))
    allowed = ("get", "pdb", "imoocpod-operator", "-n", HOME, "-o", "jsonpath={.status}")
    eventually(lambda: json.loads(kubectl(stack, *allowed))["disruptionsAllowed"], (1).__eq__)
    evict(stack, first)
    with pytest.raises(ApiException) as refusal:
        evict(stack, second)
    assert refusal.value.status == 429
    assert "disruption budget" in refusal.value.body
    eventually(stack.operators, ready)
    acts(stack)


def evict(stack: Stack, name: str) -> None:
    body = {"metadata": {"name": name, "namespace": HOME}}
    stack.core.create_namespaced_pod_eviction(name, HOME, body)


def test_replicas_need_no_more_memory_than_they_ask_for(stack: Stack) -> None:
    for pod in eventually(stack.operators, ready):
        asked = pod.spec.containers[0].resources.requests["memory"]
        metrics = stack.core.connect_get_namespaced_pod_proxy_with_path(
            f"{pod.metadata.name}:8080", HOME, "metrics"
        )
        (line,) = re.findall(r"^process_resident_memory_bytes (\d+)$", metrics, re.M)
        assert int(line) <= int(asked.removesuffix("Mi")) << 20


def test_replicas_spread_over_the_nodes(stack: Stack) -> None:
    nodes = {pod.spec.node_name for pod in eventually(stack.operators, ready)}
    assert len(nodes) == min(2, max(1, stack.workers))
