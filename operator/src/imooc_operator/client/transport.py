"""A connected socket on the event loop, with TLS or without.

asyncio's own TLS holds 256 KiB for every connection and moves each byte through two buffers in
Python; here OpenSSL reads and writes the socket itself. Invariant: after close() nothing is called
back.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

from .config import ClientConfig

RECORD = 1 << 14
"""Bytes read at a time: the most a TLS record holds, so none of it stays behind in OpenSSL."""

BURST = 32
"""Records read in a row, so that one busy stream does not keep the others waiting."""

_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Transport:
    """Hands over what arrives, and sends what is given when the socket takes it."""

    def __init__(
        self,
        sock: socket.socket,
        received: Callable[[bytes], bool],
        lost: Callable[[str], None],
    ) -> None:
        """`received` gets bytes as they come and returns whether more are on their way; `lost`
        hears why no more will come.
        """
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._received = received
        self._lost = lost
        self._unsent = b""
        self._reading = False
        self.resume()

    def write(self, data: bytes) -> None:
        """Send `data`, now or as soon as the socket takes it."""
        waiting = bool(self._unsent)
        self._unsent += data
        if not waiting:
            self._send()
            if self._unsent:
                self._loop.add_writer(self._socket, self._send_rest)

    def pause(self) -> None:
        """Read no more until resume(), which slows the other side down."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._socket)

    def resume(self) -> None:
        """Read on, unless closed."""
        if not self._reading and self._socket.fileno() >= 0:
            self._reading = True
            self._loop.add_reader(self._socket, self._read)

    def close(self) -> None:
        """Drop the connection now, and what was not sent with it."""
        self.pause()
        self._loop.remove_writer(self._socket)
        self._unsent = b""
        self._socket.close()

    def _read(self) -> None:
        for _ in range(BURST):
            try:
                data = self._socket.recv(RECORD)
            except _NOT_NOW:
                return
            except OSError as error:
                self._lost(f"connection lost: {error}")
                return
            if not data:
                self._lost("connection lost: closed by the API server")
                return
            if not self._received(data) or not self._reading:
                return

    def _send(self) -> None:
        try:
            sent = self._socket.send(self._unsent)
        except _NOT_NOW:
            return
        except OSError as error:
            self._lost(f"connection lost: {error}")
            return
        self._unsent = self._unsent[sent:]

    def _send_rest(self) -> None:
        self._send()
        if not self._unsent:
            self._loop.remove_writer(self._socket)


async def connect(config: ClientConfig) -> socket.socket:
    """Return a socket connected to the API server, past the TLS handshake; raise OSError."""
    failure = OSError(f"{config.host} has no address")
    for family, kind, protocol, _, address in await _addresses(config.host, config.port):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(sock, address)
            if config.tls is None:
                return sock
            return await _secure(sock, config.tls, config.server_name)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
    raise failure


async def _addresses(host: str, port: int) -> list[tuple[Any, ...]]:
    try:
        # An address needs no name server, and so no thread that asks one.
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        loop = asyncio.get_running_loop()
        return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)


async def _secure(sock: socket.socket, tls: ssl.SSLContext, name: str | None) -> ssl.SSLSocket:
    secure = tls.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
    loop = asyncio.get_running_loop()
    try:
        while True:
            ready = loop.create_future()
            try:
                secure.do_handshake()
                return secure
            except ssl.SSLWantReadError:
                loop.add_reader(secure, _set, ready)
            except ssl.SSLWantWriteError:
                loop.add_writer(secure, _set, ready)
            try:
                await ready
            finally:
                loop.remove_reader(secure)
                loop.remove_writer(secure)
    except BaseException:
        secure.close()
        raise


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
