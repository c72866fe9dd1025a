"""Sockets that take little at a time, TLS that is refused, names with two addresses."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from imooc_operator.client.api import ApiClient
from imooc_operator.client.config import Token, client_config
from imooc_operator.client.errors import Unreachable
from imooc_operator.client.transport import RECORD, Transport

pytestmark = pytest.mark.asyncio

MANY = 4 << 20
"""Bytes that fit no socket's buffer and many TLS records."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with key and certificate of 127.0.0.1, which signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@asynccontextmanager
async def serving(
    serve: Serve, certificate: Path | None = None, *, trust: bool = True
) -> AsyncIterator[ApiClient]:
    """Yield a client of a server that answers so, with TLS if there is a certificate."""
    connections: set[asyncio.StreamWriter] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client closed: that is what some of the tests are about
        finally:
            writer.transport.abort()

    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    config = client_config(
        f"{'https' if certificate else 'http'}://127.0.0.1:{port}",
        token=Token(),
        ca_file=certificate if trust else None,
        origin="test",
    )
    client = ApiClient(config, timeout=5)
    try:
        yield client
    finally:
        client.close()
        for writer in connections:
            writer.transport.abort()
        server.close()
        await asyncio.sleep(0)  # lets the aborted connections be taken down before the loop ends


async def echo_length(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read a request slowly, piece by piece; answer with the length of its body."""
    while head := await reader.readuntil(b"\r\n\r\n"):
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        left = length
        while left:
            left -= len(await reader.read(min(left, 1 << 15)))
        body = b"%d" % length
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()


async def a_lot(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MANY)
    for _ in range(MANY // 4096):
        writer.write(b"x" * 4095 + b"\n")
        await writer.drain()
    await reader.read()  # what was written may still be on its way


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
async def test_a_body_that_the_socket_takes_in_pieces_arrives_whole(
    certificate: Path, tls: bool
) -> None:
    async with serving(echo_length, certificate if tls else None) as client:
        for _ in range(2):
            assert await client.create("/x", b"x" * MANY) == str(MANY).encode()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
async def test_a_stream_that_is_read_slowly_arrives_whole(certificate: Path, tls: bool) -> None:
    async with serving(a_lot, certificate if tls else None) as client:
        arrived = 0
        async for lines in client.watch("/x", {}, silence=5):
            arrived += sum(len(line) + 1 for line in lines)
            await asyncio.sleep(0.001)  # not for luck: a reader slower than the server is the case
        assert arrived == MANY


async def test_a_reader_that_waits_stops_the_server() -> None:
    """Memory must not grow with what a busy API server has to say."""
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 0xFFFF + b"\n\r\n")
            await writer.drain()
            sent += 1 << 16

    async with serving(endless) as client:
        watch = client.watch("/x", {}, silence=5)
        await anext(watch)
        before = -1
        async with asyncio.timeout(10):
            while before != sent:
                before = sent
                await asyncio.sleep(0.2)
        assert sent < 64 << 20, "the server waits for the reader"
        await watch.aclose()


async def test_a_certificate_that_is_not_trusted_is_refused(certificate: Path) -> None:
    async with serving(a_lot, certificate, trust=False) as client:
        with pytest.raises(Unreachable, match="certificate") as error:
            await client.get("/x")
        assert not error.value.outcome_unknown


async def test_a_server_that_does_not_speak_tls_is_unreachable(certificate: Path) -> None:
    async def mumble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with serving(mumble) as plain:
        port = plain._config.port
        config = client_config(
            f"https://127.0.0.1:{port}", token=Token(), ca_file=certificate, origin="test"
        )
        with pytest.raises(Unreachable, match="no connection") as error:
            await ApiClient(config, timeout=5).get("/x")
        assert not error.value.outcome_unknown


async def test_a_handshake_that_is_not_answered_ends_in_time(certificate: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 20)
        await reader.read()

    async with serving(silent) as plain:
        config = client_config(
            f"https://127.0.0.1:{plain._config.port}",
            token=Token(),
            ca_file=certificate,
            origin="test",
        )
        with pytest.raises(Unreachable, match=r"no connection to .* within 0\.2 s"):
            await ApiClient(config, timeout=0.2).get("/x")


async def test_of_two_addresses_the_one_that_answers_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask = socket.getaddrinfo

    def ipv6_first(host: str, port: int, **options: int) -> list[Any]:
        return [address for name in ("::1", host) for address in ask(name, port, **options)]

    async with serving(echo_length) as client:
        monkeypatch.setattr(socket, "getaddrinfo", ipv6_first)
        assert await client.create("/x", b"12345") == b"5"


async def test_nothing_is_called_back_after_close() -> None:
    here, there = socket.socketpair()
    here.setblocking(False)
    heard: list[object] = []
    first = asyncio.Event()

    def received(data: bytes) -> bool:
        heard.append(data)
        transport.close()
        first.set()
        return True

    transport = Transport(here, received, heard.append)
    with there:
        there.sendall(b"x" * 3 * RECORD)
        async with asyncio.timeout(5):
            await first.wait()
    assert heard == [b"x" * RECORD]
