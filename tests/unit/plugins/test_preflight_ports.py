"""The ports that kind publishes, as preflight wants to hear of them."""

from __future__ import annotations

import pytest

from plugins.filter.preflight import kind_ports


def test_a_mapping_becomes_a_port_with_its_owner() -> None:
    mappings = [
        {"host_port": 80, "container_port": 8080},
        {"host_port": 53, "container_port": 53, "protocol": "udp"},
    ]
    assert kind_ports(mappings, "imooc-dev") == [
        {
            "port": 80,
            "address": "127.0.0.1",
            "variable": "kind_cluster_port_mappings",
            "owner_container": "imooc-dev-control-plane",
        }
    ]


@pytest.mark.parametrize("wrong", [None, 5, "80", [5], [None], [{"container_port": 1}]])
def test_what_is_wrong_is_left_to_the_check_of_the_variable(wrong: object) -> None:
    assert kind_ports(wrong, "imooc-dev") == []
