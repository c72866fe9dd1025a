"""The reader only reads, and says where etcd cannot be read."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import etcd_reader
from ansible.module_utils.kube_client import KubeClient

POD: dict[str, Any] = {
    "metadata": {"name": "etcd-node", "labels": {"component": "etcd"}},
    "spec": {
        "containers": [
            {
                "name": "etcd",
                "command": [
                    "etcd",
                    "--cert-file=/pki/server.crt",
                    "--key-file=/pki/server.key",
                    "--trusted-ca-file=/pki/ca.crt",
                    "--listen-client-urls=https://127.0.0.1:2379,https://10.0.0.1:2379",
                    "--peer-cert-file=/pki/peer.crt",
                ],
            }
        ]
    },
    "status": {"phase": "Running"},
}


def test_etcdctl_gets_the_addresses_and_files_of_the_pod() -> None:
    assert etcd_reader.etcdctl(POD) == [
        "etcdctl",
        "--endpoints=https://127.0.0.1:2379",
        "--cacert=/pki/ca.crt",
        "--cert=/pki/server.crt",
        "--key=/pki/server.key",
        "txn",
        "--write-out=json",
    ]


def test_a_transaction_has_gets_only() -> None:
    assert etcd_reader.transaction(["/a", "/b", "/a"], 5, True) == (
        "\nget /a --prefix --limit=5 --keys-only\nget /b --prefix --limit=5 --keys-only\n\n\n"
    )


@pytest.mark.parametrize("prefix", ["", "registry", "/a\n\ndel /", "/a b", "/a'", '/"', "/a\\"])
def test_what_could_be_more_than_a_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(etcd_reader.EtcdError, match="not a prefix"):
        etcd_reader.transaction([prefix], 0, False)


def encoded(text: str) -> str:
    """Return text as etcdctl writes keys and values."""
    return base64.b64encode(text.encode()).decode()


def answer(*keys: str, count: int) -> dict[str, Any]:
    """Return the answer to one get."""
    rows = [
        {"key": encoded(key), "create_revision": 1, "mod_revision": 2, "version": 3} for key in keys
    ]
    return {"Response": {"response_range": {"kvs": rows, "count": count}}}


def test_answers_are_joined_and_what_was_left_out_is_counted() -> None:
    output = {
        "header": {"revision": 9},
        "responses": [answer("/a/1", "/a/2", count=5), answer("/a/2", "/b/1", count=2)],
    }
    reading = etcd_reader.parse("etcd-node", json.dumps(output).encode())
    assert [entry.key for entry in reading.entries] == ["/a/1", "/a/2", "/b/1"]
    assert (reading.revision, reading.total) == (9, 6)


@pytest.fixture
def read(kube_api: Any) -> Iterator[Callable[[Path], etcd_reader.Reading]]:
    """Read by a kubectl, from a pod that the stand-in tells of."""
    with KubeClient.from_kubeconfig(kube_api.kubeconfig) as client:

        def call(kubectl: Path) -> etcd_reader.Reading:
            reader = etcd_reader.EtcdReader(client, str(kubectl), kube_api.kubeconfig, "main")
            reading: etcd_reader.Reading = reader.read(["/a"])
            return reading

        yield call


def test_a_cluster_without_an_etcd_pod_is_said_to_be_one(read: Any, tmp_path: Path) -> None:
    with pytest.raises(etcd_reader.EtcdError, match="keeps its etcd elsewhere"):
        read(tmp_path / "kubectl")


@pytest.fixture
def with_pod(kube_api: Any) -> Any:
    """The stand-in with an etcd pod."""
    kube_api.server.put("/api/v1/namespaces/kube-system/pods/etcd-node", POD)
    return kube_api


def test_a_missing_kubectl_is_told_with_the_step_to_run(
    with_pod: Any, read: Any, tmp_path: Path
) -> None:
    with pytest.raises(etcd_reader.EtcdError, match="--tags images"):
        read(tmp_path / "kubectl")


def script(tmp_path: Path, body: str) -> Path:
    """Write a stand-in for kubectl."""
    path = tmp_path / "kubectl"
    path.write_text(f"#!{sys.executable}\nimport json, sys\n{body}\n")
    path.chmod(0o755)
    return path


def test_a_failure_of_etcdctl_tells_its_words_but_not_its_output(
    with_pod: Any, read: Any, tmp_path: Path
) -> None:
    kubectl = script(tmp_path, "print('sesame'); sys.exit('context deadline exceeded')")
    with pytest.raises(etcd_reader.EtcdError, match="context deadline exceeded") as caught:
        read(kubectl)
    assert "sesame" not in str(caught.value)


def test_kubectl_is_told_cluster_pod_and_transaction(
    with_pod: Any, read: Any, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    kubectl = script(
        tmp_path,
        f"open({str(told)!r}, 'w').write(' '.join(sys.argv[1:]) + '|' + sys.stdin.read())\n"
        "print(json.dumps({'header': {'revision': 4}}))",
    )
    assert read(kubectl).revision == 4
    words, _, stdin = told.read_text().partition("|")
    assert words.startswith(f"--kubeconfig {with_pod.kubeconfig} --context main")
    assert "exec --stdin etcd-node --container etcd -- etcdctl" in words
    assert stdin == "\nget /a --prefix\n\n\n"
