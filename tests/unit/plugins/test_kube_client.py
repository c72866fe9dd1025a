"""The client keeps one connection, and every failure says what was asked and why it failed."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.kube_client import KindNotServed, KubeClient, KubeError, KubeUnreachable
from ansible.module_utils.kube_config import KubeConfigError, KubeConfigMissing, load

EXEC = "client.authentication.k8s.io/v1"
MAP = "/api/v1/namespaces/default/configmaps/{}"


def config_map(name: str) -> dict[str, Any]:
    """Return a small object."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": {"a": "1"},
    }


def test_all_requests_share_one_connection(kube_api: Any) -> None:
    with KubeClient.from_kubeconfig(kube_api.kubeconfig) as client:
        for _ in range(3):
            assert client.get(MAP.format("x")) is None
        client.apply(config_map("x"), "me")
        assert client.get(MAP.format("x"))
    assert kube_api.server.connections == 1


def test_every_character_is_applied_as_it_is(kube_api: Any) -> None:
    texts = ["naïve 中文 \U0001f600", 'a "\\ud83d" \\ \n\t\r', "\x7f\x85\u2028\u2029\ufeff\uffff\0"]
    wanted = config_map("x") | {"data": {f"k{n}": text for n, text in enumerate(texts)}}
    with KubeClient.from_kubeconfig(kube_api.kubeconfig) as client:
        client.apply(wanted, "me")
        stored = client.get(MAP.format("x"))
    assert stored is not None
    assert stored["data"] == wanted["data"]


def test_discovery_is_asked_once_per_version(kube_api: Any) -> None:
    with KubeClient.from_kubeconfig(kube_api.kubeconfig) as client:
        paths = {client.path_of(config_map(name)) for name in ("x", "y")}
    assert paths == {MAP.format("x"), MAP.format("y")}
    assert kube_api.server.requests == ["GET /api/v1"]


def test_a_kind_that_is_not_served_is_named(kube_api: Any) -> None:
    with (
        KubeClient.from_kubeconfig(kube_api.kubeconfig) as client,
        pytest.raises(KindNotServed, match=r"serves no kind ImoocPod in k8s.imooc.com/v1alpha1"),
    ):
        client.path_of(
            config_map("x") | {"apiVersion": "k8s.imooc.com/v1alpha1", "kind": "ImoocPod"}
        )


def test_a_list_is_read_page_by_page_and_its_items_know_their_kind(kube_api: Any) -> None:
    kube_api.server.page = 2
    for number in range(5):
        kube_api.server.put(MAP.format(number), {"metadata": {"name": str(number)}})
    with KubeClient.from_kubeconfig(kube_api.kubeconfig) as client:
        found = client.list("/api/v1/namespaces/default/configmaps")
    assert [item["metadata"]["name"] for item in found] == list("01234")
    assert {(item["apiVersion"], item["kind"]) for item in found} == {("v1", "X")}


def test_a_busy_server_is_asked_again(kube_api: Any) -> None:
    answers = [(429, {"reason": "TooManyRequests"}), (429, {"reason": "TooManyRequests"}), None]
    kube_api.server.refuse = lambda method, path: answers.pop(0)
    with KubeClient.from_kubeconfig(kube_api.kubeconfig) as client:
        assert client.get("/api/v1/namespaces/default")
    assert answers == []


def test_a_refusal_says_what_was_asked_and_why(kube_api: Any) -> None:
    kube_api.server.refuse = lambda method, path: (403, {"reason": "Forbidden", "message": "no"})
    with (
        KubeClient.from_kubeconfig(kube_api.kubeconfig) as client,
        pytest.raises(KubeError) as caught,
    ):
        client.get("/api/v1/nodes")
    assert str(caught.value) == "GET /api/v1/nodes: 403 Forbidden: no"


def test_a_delete_is_bound_to_the_uid(kube_api: Any) -> None:
    kube_api.server.put(MAP.format("x"), config_map("x"))
    with KubeClient.from_kubeconfig(kube_api.kubeconfig) as client:
        live = client.get(MAP.format("x"))
        assert live is not None
        kube_api.server.put(MAP.format("x"), config_map("x"))  # recreated by somebody else
        assert client.delete(live) is False
        assert MAP.format("x") in kube_api.server.objects
        fresh = client.get(MAP.format("x"))
        assert fresh is not None
        assert client.delete(fresh) is True


def test_a_dead_server_is_unreachable(tmp_path: Path) -> None:
    with socket.socket() as bound:  # never listens, so that a connection is refused
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        clusters = [{"name": "c", "cluster": {"server": url}}]
        path = write(tmp_path, document(clusters=clusters))
        with (
            KubeClient.from_kubeconfig(path) as client,
            pytest.raises(
                KubeUnreachable, match=rf"no cluster answers at {url} \(GET /x\): .*refused"
            ),
        ):
            client.get("/x")


def document(**changes: Any) -> dict[str, Any]:
    """Return a kubeconfig with parts replaced."""
    return {
        "current-context": "main",
        "contexts": [
            {"name": "main", "context": {"cluster": "c", "user": "u"}},
            {"name": "other", "context": {"cluster": "c", "user": "u", "namespace": "team"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": "http://localhost:1/"}}],
        "users": [{"name": "u", "user": {"token": "sesame"}}],
        **changes,
    }


def write(tmp_path: Path, content: dict[str, Any]) -> str:
    """Write a kubeconfig, as JSON, which is YAML."""
    path = tmp_path / "config"
    path.write_text(json.dumps(content))
    return str(path)


def test_the_context_decides(tmp_path: Path) -> None:
    path = write(tmp_path, document())
    assert load(path).namespace == "default"
    other = load(path, "other")
    assert (other.namespace, other.server) == ("team", "http://localhost:1")
    assert other.headers == {"Authorization": "Bearer sesame"}


def test_a_token_file_is_read_next_to_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    path = write(tmp_path, document(users=[{"name": "u", "user": {"tokenFile": "token"}}]))
    assert load(path).headers == {"Authorization": "Bearer from-file"}


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no context": ({"current-context": ""}, "has no current-context"),
    "unknown context": ({"current-context": "x"}, r"no context named x \(it has: main, other\)"),
    "unknown cluster": ({"clusters": []}, r"no cluster named c \(it has: none\)"),
    "no server": ({"clusters": [{"name": "c", "cluster": {}}]}, "has no server URL"),
    "broken certificate": (
        {
            "clusters": [
                {
                    "name": "c",
                    "cluster": {
                        "server": "https://localhost:1",
                        "certificate-authority-data": "bm90IGEgY2VydGlmaWNhdGU=",
                    },
                }
            ]
        },
        "certificates of the kubeconfig cannot be used",
    ),
}


@pytest.mark.parametrize(("changes", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_kubeconfig_names_its_fault(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(KubeConfigError, match=message):
        load(write(tmp_path, document(**changes)))


def test_a_missing_kubeconfig_is_told_from_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(KubeConfigMissing, match="there is no kubeconfig file"):
        load(str(tmp_path / "none"))


def test_a_credential_plugin_is_asked(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    status = {"token": "from-plugin"}
    credential = {"apiVersion": EXEC, "kind": "ExecCredential", "status": status}
    plugin.write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps(credential))})\n")
    plugin.chmod(0o755)
    execution = {"apiVersion": EXEC, "command": str(plugin), "interactiveMode": "Never"}
    path = write(tmp_path, document(users=[{"name": "u", "user": {"exec": execution}}]))
    assert load(path).headers == {"Authorization": "Bearer from-plugin"}


def test_a_credential_plugin_that_fails_is_told(tmp_path: Path) -> None:
    execution = {"apiVersion": EXEC, "command": str(tmp_path / "none"), "interactiveMode": "Never"}
    path = write(tmp_path, document(users=[{"name": "u", "user": {"exec": execution}}]))
    with pytest.raises(KubeConfigError, match="credential plugin of context main"):
        load(path)
