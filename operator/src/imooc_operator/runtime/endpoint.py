"""A tiny HTTP server for probes and metrics: GET of a known path, one answer, closed.

Invariant: no request can hold more than a few kilobytes or more than a few seconds.
"""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus

Page = Callable[[], tuple[HTTPStatus, str]]

TIMEOUT = 5.0


class Endpoint:
    """Serves pages at one address."""

    def __init__(self, address: str, pages: Mapping[str, Page]) -> None:
        """`address` is `host:port` or `:port`; port 0 lets the system choose."""
        host, _, port = address.rpartition(":")
        self._host = host.strip("[]") or None
        self._port = int(port)
        self._pages = pages
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that is served."""
        if self._server is None:
            return self._port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen; raises OSError when the address cannot be had."""
        self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=8192)

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
                status, text = self._answer(head)
                body = text.encode()
                writer.write(
                    f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: {len(body)}\r\n"
                    "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                    "Connection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return  # the other side is slow, gone or no HTTP client: nobody is left to tell
        finally:
            writer.close()

    def _answer(self, head: bytes) -> tuple[HTTPStatus, str]:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0].decode("latin-1")
        if method != b"GET":
            return HTTPStatus.METHOD_NOT_ALLOWED, "GET only\n"
        page = self._pages.get(path)
        return page() if page else (HTTPStatus.NOT_FOUND, f"one of {' '.join(self._pages)}\n")
