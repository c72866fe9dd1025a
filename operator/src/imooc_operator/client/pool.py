"""A bounded set of keep-alive connections to one API server.

Invariant: never more than `limit` exchanges at a time; the connection used last is used first, so
that a quiet operator lets the others idle away. One that is lost takes the idle ones with it: an
API server that is gone would else fail as many tries as there are, ever further apart.
"""

import asyncio

from .config import ClientConfig
from .connection import Answer, Connection
from .errors import Unreachable
from .transport import connect


class Pool:
    """Carries exchanges on connections, opening them as needed."""

    def __init__(self, config: ClientConfig, *, limit: int, connect_timeout: float) -> None:
        self._config = config
        self._connect_timeout = connect_timeout
        self._idle: list[Connection] = []
        self._permits = asyncio.Semaphore(limit)

    async def exchange(self, request: bytes, within: float) -> Answer:
        """Return the answer to `request` on any of the connections, waiting for one if need be."""
        await self._permits.acquire()
        try:
            connection = self._take_idle() or await self.open()
            answer = await connection.exchange(request, within)
            if connection.reusable:
                self._idle.append(connection)
            return answer
        except Unreachable:
            self.close()  # what took this one may have taken those too, and nothing need say so
            raise
        finally:
            self._permits.release()

    async def open(self) -> Connection:
        """Return a new connection that is not counted: the caller owns and closes it."""
        config = self._config
        where = f"{config.host}:{config.port}"
        try:
            async with asyncio.timeout(self._connect_timeout):
                return Connection(await connect(config))
        except TimeoutError:
            raise Unreachable(
                f"no connection to {where} within {self._connect_timeout:g} s", sent=False
            ) from None
        except OSError as error:
            raise Unreachable(f"no connection to {where}: {error}", sent=False) from error

    def close(self) -> None:
        """Close what is idle; connections lent out end with their exchange."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
        return None
