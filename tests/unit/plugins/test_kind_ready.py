"""Readiness is what nodes say now, not what the API server remembers from before a restart."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.kind_ready import missing

STARTED = {"n": "2026-01-01T10:00:00.123456789Z"}
AFTER = "2026-01-01T10:00:05.000000Z"
PROXIES: dict[str, Any] = {"status": {"numberReady": 1}}
BEFORE = "2026-01-01T09:59:59.000000Z"


def node(status: str) -> dict[str, Any]:
    condition = {"type": "Ready", "status": status, "message": "the network is down"}
    return {"metadata": {"name": "n"}, "status": {"conditions": [condition]}}


def lease(renewed: str) -> dict[str, Any]:
    return {"metadata": {"name": "n"}, "spec": {"renewTime": renewed}}


def test_ready_and_renewed_is_ready() -> None:
    assert missing([node("True")], [lease(AFTER)], PROXIES, STARTED) == []
    assert missing([node("True")], [lease(AFTER)], None, STARTED) == []


def test_a_node_without_its_proxy_is_not_ready() -> None:
    (line,) = missing([node("True")], [lease(AFTER)], {"status": {}}, STARTED)
    assert line == "kube-proxy is ready on 0 of 1 nodes"


@pytest.mark.parametrize(
    ("nodes", "leases", "said"),
    [
        pytest.param([], [], "n has not joined", id="unknown node"),
        pytest.param([node("False")], [lease(AFTER)], "the network is down", id="not ready"),
        pytest.param([node("True")], [lease(BEFORE)], "since its container", id="stale"),
        pytest.param([node("True")], [], "since its container", id="no lease"),
        pytest.param(
            [{"metadata": {"name": "n"}, "status": {}}], [], "not reported yet", id="no status"
        ),
    ],
)
def test_what_is_missing_is_said(
    nodes: list[dict[str, Any]], leases: list[dict[str, Any]], said: str
) -> None:
    (line,) = missing(nodes, leases, PROXIES, STARTED)
    assert said in line
