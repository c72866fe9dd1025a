"""The verbs of the API server, in bytes: callers decode what they need.

Invariant: every request ends within its timeout in an answer or an ApiError.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from urllib.parse import urlencode

from imooc_operator import __version__

from .config import ClientConfig
from .errors import ApiError, Unauthorized, Unreachable, refusal
from .pool import Pool

MERGE_PATCH = "application/merge-patch+json"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource type as its URLs name it."""

    group: str
    version: str
    plural: str

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Return the URL path; an empty namespace means all of them."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if namespace else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{scope}/{self.plural}{tail}"


class ApiClient:
    """One identity at one API server."""

    def __init__(
        self,
        config: ClientConfig,
        *,
        connections: int = 32,
        timeout: float = 30.0,
        count: Callable[[str, str], None] = lambda method, code: None,
    ) -> None:
        """`timeout` bounds each request, in seconds; `count` hears method and code of each."""
        self._config = config
        self._timeout = timeout
        self._count = count
        self._pool = Pool(config, limit=connections, connect_timeout=min(timeout, 10.0))
        host = f"[{config.host}]" if ":" in config.host else config.host
        self._head = (
            f" HTTP/1.1\r\nHost: {host}:{config.port}\r\nAccept: application/json\r\n"
            f"User-Agent: imooc-operator/{__version__}\r\n"
        )

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """Return the object or list at `path`."""
        return await self._call("GET", _with(path, query))

    async def create(self, path: str, body: bytes) -> bytes:
        """Create the object and return it as stored."""
        return await self._call("POST", path, body, JSON)

    async def update(self, path: str, body: bytes) -> bytes:
        """Replace the object, or its part at a subresource; return it as stored."""
        return await self._call("PUT", path, body, JSON)

    async def patch(self, path: str, body: bytes, content_type: str = MERGE_PATCH) -> bytes:
        """Patch the object and return it as stored."""
        return await self._call("PATCH", path, body, content_type)

    async def delete(self, path: str, body: bytes) -> bytes:
        """Delete with the DeleteOptions `body`; return the object or a Status."""
        return await self._call("DELETE", path, body, JSON)

    async def watch(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> AsyncGenerator[list[bytes], None]:
        """Yield batches of lines, each a watch event; end when the API server ends the watch.

        The first batch is empty and says that the watch is open. Nothing for `silence` seconds
        raises Silent. A watch has a connection of its own.
        """
        what = f"watch {path}"
        connection = await self._pool.open()
        try:
            request = self._request("GET", _with(path, {**query, "watch": "true"}))
            rest = b""
            async with aclosing(connection.stream(request, self._timeout, silence)) as pieces:
                async for answer, piece in pieces:
                    if answer.status != 200:
                        rest += piece
                        if answer.complete:
                            raise self._refusal(
                                what, "GET", answer.status, rest, answer.retry_after
                            )
                        continue
                    *lines, rest = (rest + piece).split(b"\n")
                    yield lines
            self._count("WATCH", "200")
        except Unreachable:
            self._count("WATCH", "error")
            raise
        finally:
            connection.close()

    def close(self) -> None:
        """Close idle connections."""
        self._pool.close()

    async def _call(
        self, method: str, target: str, body: bytes = b"", content_type: str = ""
    ) -> bytes:
        what = f"{method} {target}"
        request = self._request(method, target, body, content_type)
        try:
            answer = await self._pool.exchange(request, self._timeout)
        except Unreachable as error:
            self._count(method, "error")
            raise Unreachable(f"{what}: {error}", sent=error.outcome_unknown) from error
        if 200 <= answer.status < 300:
            self._count(method, str(answer.status))
            return bytes(answer.body)
        raise self._refusal(what, method, answer.status, bytes(answer.body), answer.retry_after)

    def _request(
        self, method: str, target: str, body: bytes = b"", content_type: str = ""
    ) -> bytes:
        token = self._config.token.header(asyncio.get_running_loop().time())
        length = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {self._config.base_path}{target}{self._head}{token}{length}\r\n"
        return head.encode("latin-1") + body

    def _refusal(
        self, what: str, method: str, status: int, body: bytes, retry_after: str | None
    ) -> ApiError:
        self._count(method, str(status))
        error = refusal(what, status, body, retry_after)
        if isinstance(error, Unauthorized):
            self._config.token.expire()
        return error


def _with(path: str, query: Mapping[str, str] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path
