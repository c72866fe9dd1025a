"""A wish becomes kind's configuration, and two wishes are compared by what they mean."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.kind_config import (
    SpecError,
    Surroundings,
    described,
    differences,
    node_names,
    render,
    spec_from,
)

MODERN = Surroundings(cgroup_version=2, may_lower_oom_score=True, containerd_config_version=3)
OLD = Surroundings(cgroup_version=1, may_lower_oom_score=False, containerd_config_version=2)


def spec(**changes: Any) -> dict[str, Any]:
    params: dict[str, Any] = {
        "image": "node:1",
        "workers": 0,
        "port_mappings": [],
        "feature_gates": {},
        "kubeadm_patches": [],
        "containerd_patches": [],
        "pod_subnet": "10.244.0.0/16",
        "service_subnet": "10.96.0.0/16",
    }
    made: dict[str, Any] = spec_from({**params, **changes})
    return made


def port(host_port: int) -> dict[str, Any]:
    return {
        "container_port": 30080,
        "host_port": host_port,
        "listen_address": "127.0.0.1",
        "protocol": "tcp",
    }


@pytest.mark.parametrize(
    ("workers", "names"),
    [
        (0, ["c-control-plane"]),
        (1, ["c-control-plane", "c-worker"]),
        (3, ["c-control-plane", "c-worker", "c-worker2", "c-worker3"]),
    ],
)
def test_names_of_nodes_are_kinds_own(workers: int, names: list[str]) -> None:
    assert node_names("c", workers) == names


def test_a_modern_machine_needs_nothing_but_the_registry_folder() -> None:
    config = render("c", spec(workers=2), MODERN)
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker", "worker"]
    assert {node["image"] for node in config["nodes"]} == {"node:1"}
    assert "kubeadmConfigPatches" not in config
    (patch,) = config["containerdConfigPatches"]
    assert 'io.containerd.cri.v1.images".registry' in patch
    assert 'config_path = "/etc/containerd/certs.d"' in patch


def test_cgroup_v1_and_a_missing_capability_are_answered_in_the_old_format() -> None:
    config = render("c", spec(), OLD)
    assert config["kubeadmConfigPatches"] == ["kind: KubeletConfiguration\nfailCgroupV1: false\n"]
    registry, oom = config["containerdConfigPatches"]
    assert 'io.containerd.grpc.v1.cri".registry' in registry
    assert oom == '[plugins."io.containerd.grpc.v1.cri"]\nrestrict_oom_score_adj = true\n'


def test_the_persons_patches_come_last_so_that_they_win() -> None:
    config = render(
        "c",
        spec(kubeadm_patches=["kind: X\n"], containerd_patches=["a = 1\n"]),
        OLD,
    )
    assert config["kubeadmConfigPatches"][-1] == "kind: X\n"
    assert config["containerdConfigPatches"][-1] == "a = 1\n"


def test_ports_and_gates_reach_kind_in_its_words() -> None:
    config = render("c", spec(port_mappings=[port(8080)], feature_gates={"A": True}), MODERN)
    assert config["featureGates"] == {"A": True}
    assert config["nodes"][0]["extraPortMappings"] == [
        {
            "containerPort": 30080,
            "hostPort": 8080,
            "listenAddress": "127.0.0.1",
            "protocol": "TCP",
        }
    ]


def test_equal_wishes_do_not_differ() -> None:
    assert differences(spec(port_mappings=[port(1)]), spec(port_mappings=[port(1)])) == []


def test_layout_order_and_comments_do_not_count() -> None:
    one = spec(
        port_mappings=[port(1), port(2)],
        kubeadm_patches=["kind: A\nb: 1\n", "kind: C\n"],
        containerd_patches=['[a]\nb = "c"\n'],
        feature_gates={"X": True, "A": False},
    )
    other = spec(
        port_mappings=[port(2), port(1)],
        kubeadm_patches=["# why\n{b: 1, kind: A}\n---\nkind: C\n"],
        containerd_patches=["a.b = 'c'  # why\n"],
        feature_gates={"A": False, "X": True},
    )
    assert differences(one, other) == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"workers": 2}, "workers: the cluster has 0, wanted is 2"),
        (
            {"feature_gates": {"A": True}},
            "feature_gates.A: the cluster has nothing, wanted is true",
        ),
        (
            {"port_mappings": [port(80)]},
            "port_mappings.127.0.0.1:80/tcp: the cluster has nothing, wanted is 30080",
        ),
        (
            {"pod_subnet": "10.0.0.0/16"},
            "pod_subnet: the cluster has 10.244.0.0/16, wanted is 10.0.0.0/16",
        ),
        (
            {"containerd_patches": ["a = 1"]},
            "containerd_patches: the cluster has [], wanted is [{a: 1}]",
        ),
    ],
)
def test_each_difference_is_one_line_that_names_the_field(
    changes: dict[str, Any], line: str
) -> None:
    assert [described(one) for one in differences(spec(), spec(**changes))] == [line]


def test_the_image_is_not_compared_by_name() -> None:
    assert differences(spec(image="a"), spec(image="b")) == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"kubeadm_patches": ["{"]}, "kind_cluster_kubeadm_patches"),
        ({"containerd_patches": ["a ="]}, "kind_cluster_containerd_patches"),
        ({"feature_gates": {"A": "yes please"}}, "kind_cluster_feature_gates"),
        ({"pod_subnet": "abc"}, "kind_cluster_pod_subnet is 'abc'"),
        ({"service_subnet": "10.96.0.0/40"}, "kind_cluster_service_subnet"),
        ({"pod_subnet": "10.96.4.0/24"}, "overlap"),
    ],
)
def test_what_kind_could_not_use_is_refused_by_the_variables_name(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(SpecError, match=named):
        spec(**changes)
