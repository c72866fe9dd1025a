"""The registry: what it holds, who can reach it, and that nodes pull from it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from world import Stack

MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)


def fetch(stack: Stack, path: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://{stack.registry}{path}", headers={"Accept": MANIFESTS}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        found: dict[str, Any] = json.load(answer)
        return found


def test_catalogue_holds_operator_and_busybox(stack: Stack) -> None:
    assert {"busybox", "imoocpod-operator"} <= set(fetch(stack, "/v2/_catalog")["repositories"])


def test_registry_is_bound_to_loopback_and_comes_back_with_the_engine(stack: Stack) -> None:
    container = stack.engine.containers.get(f"{stack.cluster}-registry")
    bindings = container.attrs["HostConfig"]["PortBindings"]["5000/tcp"]
    assert [b["HostIp"] for b in bindings] == ["127.0.0.1"]
    assert container.attrs["HostConfig"]["RestartPolicy"]["Name"] in {"always", "unless-stopped"}
    assert "kind" in container.attrs["NetworkSettings"]["Networks"]


def test_registry_is_announced_with_all_four_fields(stack: Stack) -> None:
    announced = stack.core.read_namespaced_config_map("local-registry-hosting", "kube-public")
    hosting = yaml.safe_load(announced.data["localRegistryHosting.v1"])
    assert hosting["host"] == stack.registry
    assert hosting["hostFromContainerRuntime"] == f"{stack.cluster}-registry:5000"
    assert hosting["hostFromClusterNetwork"] == f"{stack.cluster}-registry:5000"
    assert hosting["help"].startswith("http")


@pytest.mark.parametrize("alias", ["mock.com:5000", None], ids=["mock.com", "localhost"])
def test_every_node_pulls_by_every_name(
    stack: Stack, scratch_pod: Callable[..., Any], alias: str | None
) -> None:
    digest = fetch(stack, "/v2/busybox/tags/list")["tags"][0]
    for number, node in enumerate(stack.core.list_node().items):
        pod = scratch_pod(
            f"puller-{number}",
            f"{alias or stack.registry}/busybox:{digest}",
            ["true"],
            nodeName=node.metadata.name,
            tolerations=[{"operator": "Exists"}],
            containers=[
                {
                    "name": "main",
                    "image": f"{alias or stack.registry}/busybox:{digest}",
                    "command": ["true"],
                    "imagePullPolicy": "Always",
                }
            ],
        )
        assert pod.status.phase in {"Running", "Succeeded"}, pod.status


def test_operator_image_is_small_and_has_no_shell(stack: Stack) -> None:
    tag = fetch(stack, "/v2/imoocpod-operator/tags/list")["tags"][0]
    manifest = fetch(stack, f"/v2/imoocpod-operator/manifests/{tag}")
    assert sum(layer["size"] for layer in manifest["layers"]) <= 20_000_000

    image = stack.operators()[0].spec.containers[0].image
    assert "@sha256:" in image
    stack.engine.images.pull(image)
    container = stack.engine.containers.create(
        image, ["-c", "true"], entrypoint="/bin/sh", network_mode="none"
    )
    try:
        with pytest.raises(Exception, match="/bin/sh"):
            container.start()
    finally:
        container.remove(v=True, force=True)
    config = stack.engine.images.get(image).attrs["Config"]
    assert config["User"].partition(":")[0] not in {"", "0", "root"}
    assert any(key.startswith("org.opencontainers.image.") for key in config["Labels"])
