"""Check mode foresees what earlier steps have not done: modules as a plan calls them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils import registry_volume
from ansible.module_utils.registry_api import Manifest
from ansible.module_utils.testing import patch_module_args

from plugins.modules import (
    containerd_hosts,
    k8s_apply,
    node_image_pull,
    operator_image_info,
    stack_verify,
)

MAP = "/api/v1/namespaces/default/configmaps/x"
WANTED = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "x", "namespace": "default"},
    "data": {"a": "1"},
}
NOBODY = "http://127.0.0.1:1"

Plan = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def plan(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Run a module in check mode where no engine answers, and return the changes it plans."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")

    def run(module: ModuleType, **arguments: Any) -> list[dict[str, Any]]:
        with patch_module_args({**arguments, "_ansible_check_mode": True}):
            with pytest.raises(SystemExit) as ended:
                module.main()
            result = json.loads(capsys.readouterr().out)
        assert ended.value.code == 0, result
        changes: list[dict[str, Any]] = result["changes"]
        assert result["changed"] is bool(changes)
        return changes

    return run


def actions(changes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(change["action"], change["object"]) for change in changes]


@pytest.fixture
def gone(kube_api: Any, tmp_path: Path) -> str:
    """A kubeconfig that leads to a cluster that does not answer."""
    text = Path(kube_api.kubeconfig).read_text().replace(kube_api.url, NOBODY)
    path = tmp_path / "gone"
    path.write_text(text)
    return str(path)


def test_objects_of_a_new_cluster_are_created_whatever_the_old_one_holds(
    kube_api: Any, plan: Plan
) -> None:
    kube_api.server.put(MAP, WANTED)
    changes = plan(k8s_apply, kubeconfig=kube_api.kubeconfig, objects=[WANTED], cluster_fate="new")
    assert actions(changes) == [("create", "ConfigMap/default/x")]
    assert kube_api.server.requests == []


@pytest.mark.parametrize(
    ("fate", "planned"),
    [("kept", []), ("unknown", [("create", "ConfigMap/default/x")])],
)
def test_what_a_stopped_cluster_holds_is_taken_to_hold(
    gone: str, plan: Plan, fate: str, planned: list[tuple[str, str]]
) -> None:
    changes = plan(k8s_apply, kubeconfig=gone, objects=[WANTED], cluster_fate=fate)
    assert actions(changes) == planned


def test_a_kept_cluster_that_answers_is_compared(kube_api: Any, plan: Plan) -> None:
    drifted = {**WANTED, "data": {"a": "2"}}
    drifted["metadata"] = {
        **WANTED["metadata"],  # type: ignore[dict-item]  # a literal of mixed values
        "managedFields": [
            {
                "manager": "kubectl",
                "operation": "Update",
                "time": "2026-11-24T10:00:00Z",
                "fieldsV1": {"f:data": {"f:a": {}}},
            }
        ],
    }
    kube_api.server.put(MAP, drifted)
    (change,) = plan(
        k8s_apply, kubeconfig=kube_api.kubeconfig, objects=[WANTED], cluster_fate="kept"
    )
    assert change["fields"] == [
        {
            "path": "data.a",
            "live": "2",
            "wanted": "1",
            "manager": "kubectl",
            "time": "2026-11-24T10:00:00Z",
        }
    ]
    assert kube_api.server.writes == []


@pytest.mark.parametrize(
    ("fate", "disruptive", "replaced"),
    [
        ("new", "auto", True),
        ("unknown", "auto", True),
        ("kept", "auto", False),
        ("new", "never", False),
    ],
)
def test_a_pod_is_deleted_of_what_is_new(
    gone: str, plan: Plan, tmp_path: Path, fate: str, disruptive: str, replaced: bool
) -> None:
    changes = plan(
        stack_verify,
        kubeconfig=gone,
        kubectl="kubectl",
        operator_namespace="o",
        operator_image="i@sha256:1",
        namespace="default",
        name="x",
        pod_image="p@sha256:1",
        record=str(tmp_path / "verified.json"),
        cluster_fate=fate,
        disruptive=disruptive,
    )
    assert actions(changes) == [("replace", "a pod of ImoocPod/default/x")] * replaced


def test_nodes_that_are_still_to_be_made_are_wired_by_name(plan: Plan) -> None:
    changes = plan(
        containerd_hosts,
        cluster="c",
        names=["mock.com:5000"],
        upstream="http://r:5000",
        planned_nodes=["c-control-plane", "c-worker"],
    )
    folder = "/etc/containerd/certs.d/mock.com:5000/hosts.toml"
    assert actions(changes) == [
        ("create", f"c-control-plane:{folder}"),
        ("create", f"c-worker:{folder}"),
    ]


def test_nodes_that_are_still_to_be_made_pull_everything(plan: Plan) -> None:
    digest = "sha256:" + "ab" * 32
    changes = plan(
        node_image_pull,
        cluster="c",
        images=["localhost:5000/op:0123", f"localhost:5000/busybox@{digest}"],
        planned_nodes=["c-control-plane"],
    )
    assert actions(changes) == [
        ("create", "c-control-plane: image localhost:5000/op"),
        ("create", "c-control-plane: image localhost:5000/busybox"),
    ]


class Volume:
    """An engine that holds one volume with the data of a registry."""

    def __init__(self, links: dict[str, str]) -> None:
        self.links = links
        self.containers: list[str] = []

    def get(self, path: str) -> dict[str, Any] | None:
        return {} if path == "/volumes/data" else None

    def post(self, path: str, body: dict[str, Any]) -> dict[str, str]:
        (mount,) = body["HostConfig"]["Mounts"]
        assert (path, mount["Source"], mount["ReadOnly"]) == ("/containers/create", "data", True)
        self.containers.append("c")
        return {"Id": "c"}

    def read_files(self, container: str, path: str) -> dict[str, bytes]:
        assert container in self.containers
        return {"link": self.links[path].encode()} if path in self.links else {}

    def remove_container(self, name: str) -> None:
        self.containers.remove(name)


def test_a_registry_that_does_not_run_has_what_its_volume_holds() -> None:
    link = "/data/docker/registry/v2/repositories/op/_manifests/tags/0123/current/link"
    engine = Volume({link: "sha256:one\n"})
    wanted = [("op", "0123"), ("op", "4567")]
    found = registry_volume.manifests(engine, "data", "any", wanted)
    assert found == [Manifest("sha256:one", 0), None]
    assert engine.containers == []
    assert registry_volume.manifests(engine, "other", "any", wanted) == [None, None]
    assert registry_volume.manifests(engine, "", "any", wanted) == [None, None]


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        ("localhost:5000/a/b:tag", "localhost:5000/a/b"),
        ("localhost:5000/a/b@sha256:12", "localhost:5000/a/b"),
    ],
)
def test_an_image_has_one_name_before_and_after_its_build(reference: str, repository: str) -> None:
    assert node_image_pull.repository_of(reference) == repository


def test_without_engine_and_registry_the_images_are_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    arguments = {
        "context": str(tmp_path),
        "members": [],
        "base": "python:1",
        "registry": "127.0.0.1:1",
        "repository": "op",
        "pod_image": "busybox:1",
        "pod_repository": "busybox",
        "cluster": "c",
        "planned_nodes": ["c-control-plane"],
        "registry_volume": "data",
        "_ansible_check_mode": True,
    }
    with patch_module_args(arguments), pytest.raises(SystemExit):
        operator_image_info.main()
    result = json.loads(capsys.readouterr().out)
    assert (result["operator"]["digest"], result["pods"]["digest"]) == ("", "")
    assert result["nodes_without"] == {}
