"""The whole operator in the test's own event loop, against the stand-in API server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from imooc_operator.__main__ import run
from imooc_operator.client.api import ApiClient
from imooc_operator.client.config import Token, client_config
from imooc_operator.settings import parse
from support.fake_api import FakeApi
from support.user import User

OFF = ["--metrics-bind-address=0", "--health-probe-bind-address=0"]


@asynccontextmanager
async def operating(api: FakeApi, *flags: str, home: str = "default") -> AsyncIterator[None]:
    """Run the operator while the context is entered; fail if it ended by itself.

    `home` is the namespace it thinks it runs in.
    """
    stop = asyncio.Event()
    config = client_config(api.url, token=Token(), namespace=home, origin="test")
    task = asyncio.create_task(run(parse([*OFF, *flags], {}), config, stop))
    try:
        yield
        assert not task.done(), "the operator ended by itself"
    finally:
        stop.set()
        await task


@asynccontextmanager
async def crashing(api: FakeApi) -> AsyncIterator[None]:
    """Run the operator; at the end it stops between two instructions, as after kill -9."""
    config = client_config(api.url, token=Token(), origin="test")
    task = asyncio.create_task(run(parse(OFF, {}), config, asyncio.Event()))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def person(api: FakeApi, namespace: str = "default") -> User:
    """Return a user of the stand-in."""
    config = client_config(api.url, token=Token("a-person"), origin="test")
    return User(ApiClient(config), namespace, deadline=10)
