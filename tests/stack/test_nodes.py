"""A node goes away: what ran there runs elsewhere, and nothing is too many when it comes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from world import Stack, acts, eventually, kubectl, ready_with

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


def owned(stack: Stack) -> list[Any]:
    """Return all pods of the example, those on their way out too."""
    return [
        pod
        for pod in stack.core.list_namespaced_pod("default").items
        if any(ref.name == "example-imoocpod" for ref in pod.metadata.owner_references or [])
    ]


def nodes_of(pods: list[Any]) -> set[str]:
    return {pod.spec.node_name for pod in pods}


def is_ready(node: Any) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in node.status.conditions)


@pytest.fixture
def drained(stack: Stack) -> Iterator[str]:
    """A node that held pods of the example and was drained."""
    name = stack.pods()[0].spec.node_name
    drain = ("drain", name, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=80s")
    try:
        kubectl(stack, *drain)
        yield name
    finally:
        kubectl(stack, "uncordon", name)


def test_a_drained_node_gives_its_pods_to_the_others(stack: Stack, drained: str) -> None:
    eventually(stack.imoocpod, ready_with(3))
    eventually(lambda: drained in nodes_of(owned(stack)), False.__eq__)
    eventually(lambda: drained in nodes_of(stack.operators()), False.__eq__)
    acts(stack)


def hold(stack: Stack, pod: str, finalizers: list[str] | None) -> None:
    stack.core.patch_namespaced_pod(pod, "default", {"metadata": {"finalizers": finalizers}})


def let_go(stack: Stack, node: str) -> None:
    """Let the pods of a lost node end."""
    for pod in owned(stack):
        if pod.spec.node_name == node and pod.metadata.finalizers:
            hold(stack, pod.metadata.name, None)


@pytest.fixture
def lost(stack: Stack) -> Iterator[str]:
    """The node of the leader, which holds pods of the example too, without power.

    It is declared out of service, as Kubernetes asks for after such a loss: by itself it would wait
    300 s for the node to come back. Its pods end only when the test lets them, for nobody can know
    whether they still run. Afterwards the node is in service again.
    """
    kubectl(stack, "scale", "imoocpod/example-imoocpod", "--replicas=6")
    eventually(stack.imoocpod, ready_with(6))
    leader = eventually(stack.leader, bool)
    (name,) = nodes_of([pod for pod in stack.operators() if pod.metadata.name == leader])
    gone = [pod.metadata.name for pod in stack.pods() if pod.spec.node_name == name]
    assert gone
    for pod in gone:
        hold(stack, pod, ["k8s.imooc.com/test"])
    node = stack.engine.containers.get(name)
    try:
        node.kill()
        kubectl(stack, "taint", "nodes", name, f"{OUT_OF_SERVICE}=nodeshutdown:NoExecute")
        yield name
    finally:
        let_go(stack, name)
        node.start()
        eventually(lambda: stack.core.read_node(name), is_ready, within=120)
        taints = stack.core.read_node(name).spec.taints or []
        if any(taint.key == OUT_OF_SERVICE for taint in taints):
            kubectl(stack, "taint", "nodes", name, f"{OUT_OF_SERVICE}-")


@pytest.mark.usefixtures("scaled_back")
def test_a_lost_node_is_made_up_for_and_comes_back(stack: Stack, lost: str) -> None:
    survivors = {pod.metadata.uid for pod in stack.pods() if pod.spec.node_name != lost}
    # The leader went with it: until a standby may lead, at the end of the lease, the status is old.
    pods = eventually(
        stack.pods, lambda pods: len(pods) == 6 and lost not in nodes_of(pods), within=120
    )
    eventually(stack.imoocpod, ready_with(6))
    assert survivors <= {pod.metadata.uid for pod in pods}
    assert lost in nodes_of(owned(stack)), "the old ones are on their way out all the time"
    let_go(stack, lost)
    # The rest is the garbage collector's, once the node counts as not ready.
    eventually(lambda: lost in nodes_of(owned(stack)), False.__eq__, within=150)

    stack.engine.containers.get(lost).start()
    eventually(lambda: stack.core.read_node(lost), is_ready, within=120)
    kubectl(stack, "taint", "nodes", lost, f"{OUT_OF_SERVICE}-")
    # It brings back none of those that were made up for.
    assert {pod.metadata.uid for pod in owned(stack)} == {pod.metadata.uid for pod in pods}
    acts(stack)
