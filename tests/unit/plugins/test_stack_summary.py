"""The summary: what it reads from API server and registry, what it writes, what it says."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import timings
from ansible.module_utils.summary_text import WIDTH, render
from ansible.module_utils.testing import patch_module_args

from plugins.modules import stack_summary

OPERATOR = "/apis/apps/v1/namespaces/imoocpod-operator/deployments/imoocpod-operator"
RESOURCE = "/apis/k8s.imooc.com/v1alpha1/namespaces/default/imoocpods/example-imoocpod"
IMAGE = "localhost:5000/imoocpod-operator@sha256:" + "ab" * 32
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


@pytest.fixture
def registry() -> Iterator[str]:
    """The host of a registry that holds two repositories."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/v2/_catalog"
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(b'{"repositories":["busybox","imoocpod-operator"]}\n')

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def stack(kube_api: Any) -> Any:
    """An API server that holds the whole stack, and pods that are not of it."""
    server = kube_api.server
    server.objects["/version"] = {"gitVersion": "v1.37.2"}
    server.put(
        "/api/v1/nodes/one",
        {
            "metadata": {"name": "one"},
            "status": {"nodeInfo": {"kubeletVersion": "v1.37.2"}, **READY},
        },
    )
    server.put(
        OPERATOR,
        {
            "metadata": {"name": "imoocpod-operator"},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": IMAGE}]}}},
            "status": {"availableReplicas": 1},
        },
    )
    server.put(
        RESOURCE,
        {"metadata": {"name": "example-imoocpod", "uid": "cr"}, "spec": {"replicas": 2}},
    )
    for name, owner in (("b", "cr"), ("a", "cr"), ("foreign", "other"), ("orphan", None)):
        put_pod(server, name, owner)
    put_pod(server, "leaving", "cr", deletionTimestamp="2026-01-01T00:00:00Z")
    return kube_api


def put_pod(server: Any, name: str, owner: str | None, **metadata: str) -> None:
    owners = [{"uid": owner, "controller": True}] if owner else []
    server.put(
        f"/api/v1/namespaces/default/pods/{name}",
        {"metadata": {"name": name, "ownerReferences": owners, **metadata}, "status": READY},
    )


def sum_up(
    state: Path, kubeconfig: str, registry: str, capsys: Any, **more: object
) -> dict[str, Any]:
    """Run the module as Ansible does and return its result."""
    arguments = {
        "environment_name": "dev",
        "state_dir": str(state),
        "kubeconfig": kubeconfig,
        "registry_host": registry,
        "operator_namespace": "imoocpod-operator",
        "operator_name": "imoocpod-operator",
        "resource_namespace": "default",
        "resource_name": "example-imoocpod",
        **more,
    }
    with patch_module_args(arguments), pytest.raises(SystemExit) as left:
        stack_summary.main()
    assert left.value.code == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_facts_are_read_and_written(
    tmp_path: Path, stack: Any, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = timings.Timings()
    run.finish_step("site/cluster", 21.0, changed=True, tasks={})
    timings.save(tmp_path / "timings.json", run)

    result = sum_up(tmp_path, stack.kubeconfig, registry, capsys, etcd_keys=["/b", "/a"])

    outputs = tmp_path / "outputs.json"
    assert result["changed"] is True
    assert json.loads(outputs.read_text()) == {
        "environment": "dev",
        "kubeconfig": stack.kubeconfig,
        "cluster": {
            "version": "v1.37.2",
            "nodes": [{"name": "one", "version": "v1.37.2", "ready": True}],
        },
        "operator": {
            "namespace": "imoocpod-operator",
            "name": "imoocpod-operator",
            "image": IMAGE,
            "desired": 1,
            "available": 1,
        },
        "resource": {
            "namespace": "default",
            "name": "example-imoocpod",
            "desired": 2,
            "ready": 2,
            "pods": ["a", "b"],
        },
        "registry": {
            "host": registry,
            "catalog": {"repositories": ["busybox", "imoocpod-operator"]},
        },
        "etcd": {"keys": ["/a", "/b"]},
        "steps": [{"step": "cluster", "seconds": 21.0, "changed": True}],
    }
    assert stat.S_IMODE(outputs.stat().st_mode) == 0o644
    assert stack.server.writes == []


def test_other_durations_are_no_change(
    tmp_path: Path, stack: Any, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sum_up(tmp_path, stack.kubeconfig, registry, capsys)
    written = (tmp_path / "outputs.json").stat().st_mtime_ns
    run = timings.Timings()
    run.finish_step("site/cluster", 0.4, changed=False, tasks={})
    timings.save(tmp_path / "timings.json", run)

    again = sum_up(tmp_path, stack.kubeconfig, registry, capsys)

    assert again["changed"] is False
    assert (tmp_path / "outputs.json").stat().st_mtime_ns == written
    assert "took         0.4 s in all: cluster 0.4 s" in again["text"]


def test_check_mode_writes_nothing(
    tmp_path: Path, stack: Any, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    result = sum_up(state, stack.kubeconfig, registry, capsys, _ansible_check_mode=True)
    assert result["changed"] is True
    assert result["diff"]["before"] == ""
    assert not state.exists()


@pytest.mark.parametrize("text", ["", "{", "[]"], ids=["empty", "cut off", "list"])
def test_spoilt_file_is_written_anew(
    tmp_path: Path, stack: Any, registry: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "outputs.json").write_text(text)
    assert sum_up(tmp_path, stack.kubeconfig, registry, capsys)["changed"] is True
    assert sum_up(tmp_path, stack.kubeconfig, registry, capsys)["changed"] is False


def test_nothing_there_is_told_not_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = sum_up(tmp_path, str(tmp_path / "none"), "127.0.0.1:1", capsys)
    first = result["text"].splitlines()[0]
    assert first == "environment dev: not whole, missing: cluster, registry, operator, resource"
    assert "make up" in result["text"]
    assert result["facts"]["registry"]["missing"].startswith("no registry answers at 127.0.0.1:1")


def test_missing_parts_leave_the_others_readable(
    tmp_path: Path, stack: Any, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    del stack.server.objects[OPERATOR], stack.server.objects[RESOURCE]
    result = sum_up(tmp_path, stack.kubeconfig, registry, capsys)
    assert result["text"].splitlines()[0].endswith("missing: operator, resource")
    assert result["facts"]["cluster"]["version"] == "v1.37.2"
    assert result["facts"]["resource"]["missing"] == "there is no ImoocPod default/example-imoocpod"


def facts(pods: int = 3, ready: int | None = None) -> dict[str, Any]:
    return {
        "environment": "lab",
        "kubeconfig": "state/lab/kubeconfig",
        "cluster": {"version": "v1.37.2", "nodes": [{"name": "n", "version": "v", "ready": True}]},
        "operator": {
            "namespace": "imoocpod-operator",
            "name": "imoocpod-operator",
            "image": IMAGE,
            "desired": 1,
            "available": 1,
        },
        "resource": {
            "namespace": "team",
            "name": "web",
            "desired": pods,
            "ready": pods if ready is None else ready,
            "pods": [f"web-pod-{number}" for number in range(pods)],
        },
        "registry": {"host": "localhost:5000", "catalog": {"repositories": ["busybox"]}},
        "etcd": {"keys": [f"/registry/{number}" for number in range(50)]},
    }


def test_summary_is_short_plain_and_about_this_environment() -> None:
    run = [timings.StepRun(f"step{number}", 12.5, False) for number in range(12)]
    text = render(facts(pods=100), run, "state/lab/outputs.json")
    lines = text.splitlines()
    assert lines[0] == "environment lab: up"
    assert len(lines) <= 40
    assert max(map(len, lines)) <= max(WIDTH, len(IMAGE) + 13)
    assert text.isascii()
    assert "             and 94 more" in lines
    assert "             and 44 more" in lines
    assert (
        'registry     localhost:5000/v2/_catalog\n             {"repositories":["busybox"]}' in text
    )
    assert "2 min 30 s in all: step0 12 s, " in text
    assert "kubectl delete pod web-pod-0 -n team" in text
    assert "make down ENV=lab" in text


@pytest.mark.parametrize(
    ("pods", "ready", "verdict"),
    [(3, 3, "up"), (3, 2, "starting"), (0, 0, "up")],
)
def test_verdict(pods: int, ready: int, verdict: str) -> None:
    assert render(facts(pods, ready), [], "x").splitlines()[0] == f"environment lab: {verdict}"


def test_etcd_step_that_did_not_run_has_no_row() -> None:
    assert "etcd keys" not in render({**facts(), "etcd": None}, [], "x")
