"""Fixtures for tests that talk to a stand-in of the Kubernetes API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.plugins import kube_server as stand_in

if TYPE_CHECKING:
    from tests.unit.plugins.kube_server import KubeServer


@dataclass(frozen=True)
class KubeApi:
    """A running stand-in and the kubeconfig that leads to it."""

    server: KubeServer
    url: str
    kubeconfig: str


@pytest.fixture
def kube_api(tmp_path: Path) -> Iterator[KubeApi]:
    """A stand-in API server with the namespace `default`."""
    server = stand_in.KubeServer()
    server.put(
        "/api/v1/namespaces/default",
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "default"},
            "status": {"phase": "Active"},
        },
    )
    with stand_in.serving(server) as url:
        yield KubeApi(server, url, stand_in.write_kubeconfig(tmp_path / "kubeconfig", url))
