"""Tell which images a kind cluster's nodes do not have.

Invariant: each node's containerd is asked, whatever was pulled before; a kubelet that is short of
disk removes images.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.engine_client import Engine, EngineError
from ansible.module_utils.kind_nodes import node_containers


def running_nodes(engine: Engine, cluster: str) -> list[str]:
    """Return the names of the cluster's nodes that run."""
    return [
        container["Name"].lstrip("/")
        for container in node_containers(engine, cluster)
        if container["State"]["Running"]
    ]


def lacking(
    engine: Engine, nodes: Sequence[str], references: Sequence[str]
) -> dict[str, list[str]]:
    """Return for each of ``nodes`` that lacks any of ``references`` those that it lacks."""

    def missing(node: str) -> list[str]:
        names = [f"name=={reference}" for reference in references]
        result = engine.execute(node, ["ctr", "-n", "k8s.io", "images", "ls", "-q", *names])
        if result.exit_code != 0:
            raise EngineError(500, f"{node}: ctr images ls: {result.output.strip()}")
        present = result.output.splitlines()
        return [reference for reference in references if reference not in present]

    with ThreadPoolExecutor(max_workers=max(len(nodes), 1)) as pool:
        found = zip(nodes, pool.map(missing, nodes), strict=True)
        return {node: absent for node, absent in found if absent}
