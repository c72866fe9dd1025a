"""One pass of the reconciler against the API server's memory.

The caches are filled by hand, as far as the watch is to have come.
"""

import json
from collections.abc import Callable, Coroutine, Mapping
from contextlib import closing
from typing import Any

from imooc_operator.client.errors import refusal
from imooc_operator.kinds.imoocpod.reconciler import Reconciler
from imooc_operator.runtime.controller import Result
from imooc_operator.runtime.events import Event, Reference
from imooc_operator.runtime.informer import Decoder
from support.builders import NOW
from support.fake_api import Request
from support.memory_api import MemoryApi
from support.store import Object, Refusal, Store

KEY = "default/web"


Hook = Callable[[Request], None]


class Api(MemoryApi):
    """Remembers its requests; runs hooks before a request is applied, and before it is answered."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.requests: list[Request] = []
        self.before: dict[str, Hook] = {}
        self.after: dict[str, Hook] = {}

    def asked(self, *verbs: str) -> list[str]:
        """Return the requests in short form, of these verbs or of all."""
        return [_short(r) for r in self.requests if not verbs or r.verb in verbs]

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        return await self._hooked("GET", path, b"{}", super().get(path, query))

    async def create(self, path: str, body: bytes) -> bytes:
        return await self._hooked("POST", path, body, super().create(path, body))

    async def update(self, path: str, body: bytes) -> bytes:
        return await self._hooked("PUT", path, body, super().update(path, body))

    async def delete(self, path: str, body: bytes) -> bytes:
        return await self._hooked("DELETE", path, body, self._delete(path, body))

    async def _delete(self, path: str, body: bytes) -> bytes:
        request = Request("DELETE", path, {}, json.loads(body), {})
        where = (request.plural, request.namespace, request.name)
        try:
            return json.dumps(self.store.delete(*where, request.body)).encode()
        except Refusal as error:
            status = {"reason": error.reason, "message": str(error)}
            raise refusal(path, error.code, json.dumps(status).encode()) from error

    async def _hooked(
        self, method: str, path: str, body: bytes, applied: Coroutine[Any, Any, bytes]
    ) -> bytes:
        request = Request(method, path, {}, json.loads(body), {})
        self.requests.append(request)
        with closing(applied):
            if hook := self.before.get(_short(request)):
                hook(request)
            answer = await applied
        if hook := self.after.get(_short(request)):
            hook(request)
        return answer


def _short(request: Request) -> str:
    return f"{request.verb} {request.subresource or request.plural}"


class World:
    """An ImoocPod `default/web`, its reconciler, and what that told people."""

    def __init__(self, replicas: int, *, dry_run: bool = False, api: type[Api] = Api) -> None:
        self.store = Store()
        self.api = api(self.store)
        self.told: list[Event] = []
        self.reconciler = Reconciler(
            self.api,
            scope_of=lambda namespace: namespace,
            pod_image="busybox:1",
            now=lambda: NOW,
            emit=self.told.append,
            dry_run=dry_run,
        )
        body = {"metadata": {"name": "web"}, "spec": {"replicas": replicas}}
        self.store.create("imoocpods", "default", body)
        self.catch_up()

    def catch_up(self, *plurals: str) -> None:
        """Let the watches, or those of `plurals`, bring all that has happened."""
        for watch in self.reconciler.watches:
            if plurals and watch.resource.plural not in plurals:
                continue
            items = self.store.all(watch.resource.plural, "default")
            decoder: Decoder[Any, Any] = watch.decoder
            raw = [decoder.object.decode(json.dumps(item)) for item in items]
            seen: list[Any] = [kept for item in raw if (kept := decoder.view(item))]
            watch.cache.replace("default", seen, self.store.revision, rewind=False)

    def scale(self, replicas: int, *seen_by: str) -> None:
        self.store.patch("imoocpods", "default", "web", {"spec": {"replicas": replicas}}, "")
        self.catch_up(*seen_by)

    async def pass_(self) -> Result:
        """Make one pass, as often as it only lets others go first, with no request yet counted."""
        self.api.requests.clear()
        while (result := await self.reconciler.reconcile(KEY)).requeue_after == 0:
            pass
        return result

    def pods(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.store.all("pods", "default")]

    def cr(self) -> Object:
        return self.store.get("imoocpods", "default", "web")

    def condition(self, kind: str) -> Object:
        found: Object
        (found,) = (c for c in self.cr()["status"]["conditions"] if c["type"] == kind)
        return found

    def about(self) -> Reference:
        uid = self.cr()["metadata"]["uid"]
        return Reference("k8s.imooc.com/v1alpha1", "ImoocPod", "default", "web", uid)


def fail(error: Exception) -> Hook:
    def hook(request: Request) -> None:
        raise error

    return hook


def once(hook: Hook) -> Hook:
    left = [hook]

    def only(request: Request) -> None:
        if left:
            left.pop()(request)

    return only
