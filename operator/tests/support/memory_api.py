"""The API server's memory behind the client's verbs, without a socket: for virtual time."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping

from imooc_operator.client.api import MERGE_PATCH, ApiClient
from imooc_operator.client.config import Token, client_config
from imooc_operator.client.errors import Unreachable, refusal
from support.fake_api import Request, streamed_list
from support.store import Object, Refusal, Store


class MemoryApi(ApiClient):
    """A client whose requests end in a Store; while `cut` nothing gets through."""

    def __init__(self, store: Store) -> None:
        super().__init__(client_config("http://nowhere", token=Token(), origin="test"))
        self.store = store
        self.cut = False

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        request = self._asked("GET", path, query or {})
        if request.name:
            return self._done(request)
        items = self.store.all(request.plural, request.namespace)
        revision = str(self.store.revision)
        return json.dumps({"metadata": {"resourceVersion": revision}, "items": items}).encode()

    async def create(self, path: str, body: bytes) -> bytes:
        return self._done(self._asked("POST", path, {}, body))

    async def patch(self, path: str, body: bytes, content_type: str = MERGE_PATCH) -> bytes:
        return self._done(self._asked("PATCH", path, {}, body))

    async def watch(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> AsyncGenerator[bytes, None]:
        request = self._asked("GET", path, query)
        yield b""
        if request.streams:
            revision = self.store.revision
            for line in streamed_list(self.store, request):
                yield json.dumps(line).encode() + b"\n"
        else:
            revision = int(query["resourceVersion"])
        while True:
            await asyncio.sleep(0.05)
            if self.cut:
                continue
            for event in self.store.since(request.plural, request.namespace, revision):
                revision = event.revision
                yield json.dumps({"type": event.type, "object": event.object}).encode() + b"\n"

    def _asked(
        self, method: str, path: str, query: Mapping[str, str], body: bytes = b"{}"
    ) -> Request:
        if self.cut:
            raise Unreachable("cut", sent=False)
        return Request(method, path, dict(query), json.loads(body), {})

    def _done(self, request: Request) -> bytes:
        store, where = self.store, (request.plural, request.namespace)
        answer: Object
        try:
            match request.verb:
                case "get":
                    answer = store.get(*where, request.name)
                case "create":
                    answer = store.create(*where, request.body)
                case _:
                    answer = store.patch(*where, request.name, request.body, request.subresource)
        except Refusal as error:
            status = {"reason": error.reason, "message": str(error), "code": error.code}
            raise refusal(request.path, error.code, json.dumps(status).encode()) from error
        return json.dumps(answer).encode()
