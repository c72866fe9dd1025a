"""A second kind is a folder and a registration line: here is one, whole, beside ImoocPod.

An Echo says in its status what its spec says. All it has of its own is in this file.
"""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from imooc_operator.__main__ import kinds
from imooc_operator.client.api import ApiClient, Resource
from imooc_operator.client.config import Token, client_config
from imooc_operator.runtime.cache import Cache
from imooc_operator.runtime.controller import Result
from imooc_operator.runtime.events import Recorder
from imooc_operator.runtime.informer import Decoder
from imooc_operator.runtime.kind import Watch
from imooc_operator.runtime.manager import Manager
from imooc_operator.runtime.metrics import Registry
from imooc_operator.runtime.objects import Key, ObjectMeta, key_of
from imooc_operator.settings import parse
from support.fake_api import FakeApi
from support.inprocess import person

ECHOES = Resource("test.imooc.com", "v1", "echoes")


class _Body(msgspec.Struct):
    says: str = ""


class _RawEcho(msgspec.Struct):
    metadata: ObjectMeta
    spec: _Body = msgspec.field(default_factory=_Body)
    status: _Body = msgspec.field(default_factory=_Body)


class _Echo(msgspec.Struct, frozen=True):
    namespace: str
    name: str
    uid: str
    revision: int
    wanted: str
    said: str


def _view(raw: _RawEcho) -> _Echo:
    meta = raw.metadata
    return _Echo(meta.namespace, meta.name, meta.uid, meta.revision, raw.spec.says, raw.status.says)


class EchoKind:
    """Copies spec.says to status.says."""

    name = "echo"

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._echoes: Cache[_Echo] = Cache()
        self._decoder = Decoder(_RawEcho, _view)
        self.watches = (Watch(ECHOES, self._decoder, self._echoes, key_of),)

    async def reconcile(self, key: Key) -> Result:
        echo = self._echoes.get(key)
        if echo is not None and echo.said != echo.wanted:
            body = msgspec.json.encode({"status": {"says": echo.wanted}})
            path = ECHOES.path(echo.namespace, echo.name, "status")
            answer = await self._client.patch(path, body)
            self._echoes.learn(_view(self._decoder.object.decode(answer)), "")
        return Result()


@pytest_asyncio.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi() as fake:
        yield fake


@pytest.mark.asyncio
async def test_two_kinds_run_side_by_side(api: FakeApi) -> None:
    client = ApiClient(client_config(api.url, token=Token(), origin="test"))
    recorder = Recorder(client, "k8s.imooc.com/test", "host_1")
    registry = Registry()
    manager = Manager(client, registry, scopes=("",), workers=4, recorder=recorder, election=None)
    for kind in (*kinds(parse([], {}), client, recorder), EchoKind(client)):
        manager.add(kind)
    stop = asyncio.Event()
    running = asyncio.create_task(manager.run(stop))
    user = person(api)
    api.store.create("echoes", "default", {"metadata": {"name": "e"}, "spec": {"says": "hello"}})
    await user.create("web", 2)

    async def echoed() -> bool | None:
        status = api.store.get("echoes", "default", "e").get("status", {})
        return True if status.get("says") == "hello" else None

    await user.eventually(echoed, "the echo answers")
    await user.converged("web", 2)
    stop.set()
    await running
    text = registry.exposition()
    for name in ("echo", "imoocpod"):
        assert f'controller_runtime_reconcile_total{{controller="{name}",result="success"}}' in text
    user.client.close()
    client.close()
