"""A stand-in API server and its user, for each case."""

from collections.abc import AsyncIterator

import pytest_asyncio

from support.fake_api import FakeApi
from support.inprocess import person
from support.user import User


@pytest_asyncio.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi() as fake:
        yield fake


@pytest_asyncio.fixture
async def user(api: FakeApi) -> AsyncIterator[User]:
    someone = person(api)
    yield someone
    someone.client.close()
