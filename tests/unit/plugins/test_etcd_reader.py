"""The reader only reads, and says where etcd cannot be read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import etcd_reader
from ansible.module_utils.etcd_answer import Answer
from ansible.module_utils.etcd_question import EtcdError, Question, Range
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
        "--write-out=protobuf",
    ]


@pytest.fixture
def read(kube_api: Any) -> Iterator[Callable[[Path], Answer]]:
    """Read by a kubectl, from a pod that the stand-in tells of."""
    with KubeClient.from_kubeconfig(kube_api.kubeconfig) as client:

        def call(kubectl: Path) -> Answer:
            reader = etcd_reader.EtcdReader(
                client, str(kubectl), kube_api.kubeconfig, "main", patience=5
            )
            with reader.read(Question((Range.prefix("/a"),))) as answer:
                list(answer)
            return answer

        yield call


def test_a_cluster_without_an_etcd_pod_is_said_to_be_one(read: Any, tmp_path: Path) -> None:
    with pytest.raises(EtcdError, match="keeps its etcd elsewhere"):
        read(tmp_path / "kubectl")


@pytest.fixture
def with_pod(kube_api: Any) -> Any:
    """The stand-in with an etcd pod."""
    kube_api.server.put("/api/v1/namespaces/kube-system/pods/etcd-node", POD)
    return kube_api


def test_a_missing_kubectl_is_told_with_the_step_to_run(
    with_pod: Any, read: Any, tmp_path: Path
) -> None:
    with pytest.raises(EtcdError, match="--tags images"):
        read(tmp_path / "kubectl")


def script(tmp_path: Path, body: str) -> Path:
    """Write a stand-in for kubectl."""
    path = tmp_path / "kubectl"
    path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("output", ["", "os.write(1, b'\\x0a\\x02\\x18\\x04sesame')"])
def test_a_failure_of_etcdctl_tells_its_words_but_not_its_output(
    with_pod: Any, read: Any, tmp_path: Path, output: str
) -> None:
    kubectl = script(tmp_path, f"{output}\nsys.exit('context deadline exceeded')")
    with pytest.raises(EtcdError, match="context deadline exceeded") as caught:
        read(kubectl)
    assert "sesame" not in str(caught.value)
    assert "etcd does not answer; look at" in str(caught.value)


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        ("etcdserver: mvcc: required revision has been compacted", "ask for a later revision"),
        ("etcdserver: mvcc: required revision is a future revision", "an earlier revision"),
        ('exec: "etcdctl": executable file not found in $PATH', "has no etcdctl"),
    ],
)
def test_what_to_do_is_told(
    with_pod: Any, read: Any, tmp_path: Path, words: str, cure: str
) -> None:
    with pytest.raises(EtcdError, match=cure):
        read(script(tmp_path, f"sys.exit({words!r})"))


def test_silence_is_an_error(with_pod: Any, read: Any, tmp_path: Path) -> None:
    with pytest.raises(EtcdError, match="gave no answer"):
        read(script(tmp_path, "sys.stdin.read()"))


def test_an_etcd_that_hangs_is_left(kube_api: Any, with_pod: Any, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    body = f"open({str(told)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    kubectl = script(tmp_path, body)
    with KubeClient.from_kubeconfig(kube_api.kubeconfig) as client:
        reader = etcd_reader.EtcdReader(client, str(kubectl), kube_api.kubeconfig, None, 1)
        with (
            pytest.raises(EtcdError, match="did not answer within 1 s"),
            reader.read(Question((Range.key("/a"),))) as answer,
        ):
            list(answer)
    assert not Path(f"/proc/{told.read_text()}").exists()


def test_kubectl_is_told_cluster_pod_and_transaction(
    with_pod: Any, read: Any, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    kubectl = script(
        tmp_path,
        f"open({str(told)!r}, 'w').write(' '.join(sys.argv[1:]) + '|' + sys.stdin.read())\n"
        "os.write(1, b'\\x0a\\x02\\x18\\x04')  # a header: revision 4",
    )
    assert read(kubectl).revision == 4
    words, _, stdin = told.read_text().partition("|")
    assert words.startswith(f"--kubeconfig {with_pod.kubeconfig} --context main")
    assert "exec --stdin etcd-node --container etcd -- etcdctl" in words
    assert stdin == '\nget -- "/a" "/b"\n\n\n'
