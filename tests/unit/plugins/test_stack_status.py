"""The module: what it asks, what it writes, and that nothing it meets makes it fail."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import status_look
from ansible.module_utils.testing import patch_module_args

from plugins.modules import stack_status
from tests.unit.plugins import page_reader
from tests.unit.plugins.kube_server import JsonObject

HOME = "imoocpod-operator"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{HOME}/deployments/{HOME}"
POD = f"/api/v1/namespaces/{HOME}/pods/op-1"
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


@pytest.fixture(autouse=True)
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own engine is none of a unit test's business."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")


@pytest.fixture
def stack(kube_api: Any) -> Any:
    """An API server with a node, an operator and a custom resource."""
    server = kube_api.server
    server.objects["/version"] = {"gitVersion": "v1.37.2"}
    server.objects["/apis/k8s.imooc.com/v1alpha1"] = {"resources": []}
    server.put(
        "/api/v1/nodes/one",
        {
            "metadata": {"name": "one"},
            "status": {"nodeInfo": {"kubeletVersion": "v1.37.2"}, **READY},
        },
    )
    server.put(
        DEPLOYMENT,
        {
            "metadata": {"name": HOME, "namespace": HOME},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": HOME}},
                "template": {"spec": {"containers": [{"image": "x"}]}},
            },
            "status": {"availableReplicas": 1},
        },
    )
    server.put(
        POD,
        {
            "metadata": {"name": "op-1", "namespace": HOME, "labels": {"app": HOME}},
            "spec": {"nodeName": "one"},
            "status": READY,
        },
    )
    # The stand-in lists what lies below a path; the real one knows namespaces.
    server.objects["/api/v1/pods/1"] = server.objects[POD]
    return kube_api


@pytest.fixture
def look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., JsonObject]:
    """Run the module as Ansible does and return its result."""

    def run(kubeconfig: str = "", **more: Any) -> JsonObject:
        arguments = {
            "environment_name": "lab",
            "state_dir": str(tmp_path / "state"),
            "kubeconfig": kubeconfig or str(tmp_path / "none"),
            "kubectl": str(tmp_path / "kubectl"),
            "cluster": "imooc-lab",
            "registry_name": "imooc-lab-registry",
            "registry_host": "127.0.0.1:1",
            "operator_namespace": HOME,
            "operator_name": HOME,
            "resource_namespace": "default",
            "resource_name": "example-imoocpod",
            "style": "",
            **more,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit) as left:
            stack_status.main()
        assert left.value.code == 0
        result: JsonObject = json.loads(capsys.readouterr().out)
        return result

    return run


def test_of_nothing_nothing_is_written(tmp_path: Path, look: Callable[..., JsonObject]) -> None:
    result = look()
    assert result["verdict"] == "absent"
    assert result["changed"] is False
    assert [finding["part"] for finding in result["findings"]] == ["engine"]
    assert list(tmp_path.iterdir()) == []


def test_what_was_begun_is_told(tmp_path: Path, look: Callable[..., JsonObject]) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "timings.json").write_text("spoilt")
    (state / "images.json").write_text("[]")
    (state / "drift.json").write_text("{")
    result = look()
    assert result["verdict"] == "down"
    told = json.loads((state / "status.json").read_text())
    assert told["verdict"] == "down"
    assert told["findings"] == result["findings"]
    assert told["cluster"] == {"missing": f"there is no kubeconfig file {tmp_path}/none"}
    assert told["run"] is None
    assert told["drift"] is None
    page = page_reader.read((state / "report.html").read_text())
    assert page.all("h1")[0].text == "lab is down"
    for name in ("status.json", "report.html"):
        assert stat.S_IMODE((state / name).stat().st_mode) == 0o644
    assert str(state / "report.html") in result["text"]


def test_a_cluster_is_read(tmp_path: Path, stack: Any, look: Callable[..., JsonObject]) -> None:
    (tmp_path / "state").mkdir()
    result = look(stack.kubeconfig)
    assert result["verdict"] == "degraded"
    told = json.loads((tmp_path / "state/status.json").read_text())
    assert told["cluster"]["version"] == "v1.37.2"
    assert [node["ready"] for node in told["cluster"]["nodes"]] == [True]
    assert [pod["name"] for pod in told["cluster"]["operator"]["replicas"]] == ["op-1"]
    assert told["cluster"]["resources"] == []
    assert told["etcd"]["missing"].startswith("no etcd pod runs in kube-system")
    assert [request for request in stack.server.requests if not request.startswith("GET ")] == []


def test_drift_is_told_with_the_time_of_its_file(
    tmp_path: Path, look: Callable[..., JsonObject]
) -> None:
    (tmp_path / "state").mkdir()
    drift = tmp_path / "state/drift.json"
    drift.write_text('{"environment": "lab", "differences": [{"object": "x"}, "spoilt"]}')
    os.utime(drift, (1795521540, 1795521540))
    look()
    told = json.loads((tmp_path / "state/status.json").read_text())
    assert told["drift"] == {
        "time": "2026-11-24T11:59:00+00:00",
        "differences": [{"object": "x"}],
    }


def test_in_check_mode_nothing_is_written(tmp_path: Path, look: Callable[..., JsonObject]) -> None:
    (tmp_path / "state").mkdir()
    assert look(_ansible_check_mode=True)["verdict"] == "down"
    assert list((tmp_path / "state").iterdir()) == []


def test_an_answer_that_makes_no_sense_is_missing(
    tmp_path: Path, stack: Any, look: Callable[..., JsonObject]
) -> None:
    (tmp_path / "state").mkdir()
    stack.server.objects["/version"] = {}
    assert look(stack.kubeconfig)["verdict"] == "down"
    told = json.loads((tmp_path / "state/status.json").read_text())
    assert told["cluster"] == {"missing": "'gitVersion'"}


def test_a_replica_is_asked_through_the_api_server(
    stack: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def proxied(method: str, path: str) -> tuple[int, JsonObject] | None:
        if path == f"{POD}:8080/proxy/metrics":
            return 200, {}
        return None

    stack.server.refuse = proxied
    place = status_look.Place(
        tmp_path, stack.kubeconfig, None, "kubectl", "c", "r", "127.0.0.1:1", HOME, HOME
    )
    assert "op-1" in status_look._metrics(place)["replicas"]
