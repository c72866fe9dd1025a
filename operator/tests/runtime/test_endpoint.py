"""The server of probes and metrics, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import pytest

from imooc_operator.runtime import endpoint as module
from imooc_operator.runtime.endpoint import Endpoint

pytestmark = pytest.mark.asyncio

PAGES = {
    "/a": lambda: (HTTPStatus.OK, "größer\n"),
    "/b": lambda: (HTTPStatus.SERVICE_UNAVAILABLE, "not yet\n"),
}


@asynccontextmanager
async def serving(address: str = "127.0.0.1:0") -> AsyncIterator[Endpoint]:
    endpoint = Endpoint(address, PAGES)
    await endpoint.start()
    try:
        yield endpoint
    finally:
        endpoint.stop()


async def talk(endpoint: Endpoint, request: bytes, host: str = "127.0.0.1") -> bytes:
    """Return all that comes back until the server closes."""
    reader, writer = await asyncio.open_connection(host, endpoint.port)
    try:
        async with asyncio.timeout(5):
            writer.write(request)
            return await reader.read()
    finally:
        writer.close()


def get(target: str, method: str = "GET") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def test_a_page_comes_whole_as_prometheus_wants_it_and_then_the_end() -> None:
    async with serving() as endpoint:
        assert await talk(endpoint, get("/a")) == (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"
            b"Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
            b"Connection: close\r\n\r\ngr\xc3\xb6\xc3\x9fer\n"
        )


@pytest.mark.parametrize(
    ("request_", "first", "body"),
    [
        pytest.param(get("/b"), "503 Service Unavailable", "not yet", id="a page's own status"),
        pytest.param(get("/b?verbose=1"), "503 Service Unavailable", "not yet", id="query"),
        pytest.param(get("/c"), "404 Not Found", "one of /a /b", id="unknown"),
        pytest.param(get("/a", "POST"), "405 Method Not Allowed", "GET only", id="method"),
    ],
)
async def test_status_and_text(request_: bytes, first: str, body: str) -> None:
    async with serving() as endpoint:
        answer = (await talk(endpoint, request_)).decode()
    assert answer.startswith(f"HTTP/1.1 {first}\r\n")
    assert answer.endswith(f"\r\n\r\n{body}\n")


async def test_a_slow_client_is_left_after_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as endpoint:
        with monkeypatch.context() as patched:
            patched.setattr(module, "TIMEOUT", 0.05)
            assert await talk(endpoint, b"GET /a HT") == b""
        assert (await talk(endpoint, get("/a"))).startswith(b"HTTP/1.1 200")


async def test_a_request_of_more_than_a_few_kilobytes_is_cut_at_once() -> None:
    async with serving() as endpoint:
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        writer.write(b"x" * 20_000)
        async with asyncio.timeout(4):  # less than a slow client gets
            with suppress(ConnectionResetError):  # so it ends when bytes of ours are left unread
                assert await reader.read() == b""
        writer.close()


async def test_a_client_that_goes_away_is_no_error() -> None:
    async with serving() as endpoint:
        _, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        writer.write(b"GET")
        writer.close()
        assert (await talk(endpoint, get("/a"))).startswith(b"HTTP/1.1 200")


async def test_only_the_address_asked_for_is_served() -> None:
    async with serving("127.0.0.1:0") as endpoint:
        with pytest.raises(ConnectionRefusedError):
            await talk(endpoint, get("/a"), host="127.0.0.2")


async def test_no_address_means_every_one() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", 0))
        port = probe.getsockname()[1]
    async with serving(f":{port}") as endpoint:
        assert endpoint.port == port
        for host in ("127.0.0.1", "127.0.0.2", "::1"):
            assert await talk(endpoint, get("/a"), host)


async def test_an_address_of_ipv6_stands_in_brackets() -> None:
    async with serving("[::1]:0") as endpoint:
        assert await talk(endpoint, get("/a"), host="::1")


async def test_once_stopped_nothing_is_served() -> None:
    async with serving() as endpoint:
        port = endpoint.port
        endpoint.stop()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_before_the_start_the_port_is_the_one_asked_for() -> None:
    endpoint = Endpoint("127.0.0.1:8080", PAGES)
    assert endpoint.port == 8080
    endpoint.stop()
