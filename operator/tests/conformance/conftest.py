"""The server that the conformance cases run on.

The stand-in by default; a real API server without nodes where IMOOC_CONTROL_PLANE_BIN names its
programs; the cluster that IMOOC_CONFORMANCE_KUBECONFIG names, whose CRD must be there already.
Each case gets a namespace of its own.
"""

import json
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from campaign.arena import Arena
from imooc_operator.client.api import ApiClient, Resource
from imooc_operator.client.kubeconfig import load_kubeconfig
from support.fake_api import FakeApi
from support.process import OperatorProcess
from support.user import User

REAL = os.environ.get("IMOOC_CONFORMANCE_KUBECONFIG")

_KUBECONFIG = """\
current-context: fake
contexts: [{{name: fake, context: {{cluster: fake}}}}]
clusters: [{{name: fake, cluster: {{server: "{url}"}}}}]
"""


@dataclass
class Server:
    """Where the cases run; `fake` is None on a real cluster."""

    kubeconfig: Path
    namespace: str
    fake: FakeApi | None
    deadline: float


@pytest_asyncio.fixture
async def server(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """An API server with an empty namespace."""
    if REAL:
        async with _namespace(Path(REAL)) as name:
            yield Server(Path(REAL), name, None, deadline=40)
        return
    if "IMOOC_CONTROL_PLANE_BIN" in os.environ:
        arena: Arena = request.getfixturevalue("arena")
        kubeconfig = arena.plane.kubeconfig(tmp_path / "kubeconfig", arena.plane.token)
        yield Server(kubeconfig, arena.namespace(), None, deadline=40)
        return
    async with FakeApi() as fake:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(_KUBECONFIG.format(url=fake.url))
        yield Server(kubeconfig, "default", fake, deadline=10)


@pytest_asyncio.fixture
async def user(server: Server) -> AsyncIterator[User]:
    """Someone who works in that namespace."""
    client = ApiClient(load_kubeconfig([server.kubeconfig]))
    yield User(client, server.namespace, server.deadline)
    client.close()


@pytest_asyncio.fixture
async def operator(
    server: Server, request: pytest.FixtureRequest
) -> AsyncIterator[OperatorProcess]:
    """The operator, started; its log is shown when the case fails."""
    process = OperatorProcess(server.kubeconfig, server.namespace)
    await process.start()
    yield process
    await process.terminate()
    request.node.add_report_section("call", "operator log", "".join(process.log))


class _namespace:
    """A namespace that exists while the context is entered."""

    def __init__(self, kubeconfig: Path) -> None:
        self._client = ApiClient(load_kubeconfig([kubeconfig]))
        self._resource = Resource("", "v1", "namespaces")
        self._name = f"conformance-{uuid.uuid4().hex[:8]}"

    async def __aenter__(self) -> str:
        restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
        body = {"metadata": {"name": self._name, "labels": restricted}}
        await self._client.create(self._resource.path(""), json.dumps(body).encode())
        return self._name

    async def __aexit__(self, *exc: object) -> None:
        await self._client.delete(self._resource.path("", self._name), b"{}")
        self._client.close()
