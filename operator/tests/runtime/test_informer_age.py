"""An informer knows since when it has heard nothing."""

import asyncio
from collections.abc import Mapping

import pytest

from imooc_operator.client.errors import Unreachable
from support.scripted_api import LISTED, ScriptedApi, World, bookmark, failure, informing, page
from support.virtual import virtual_time


@virtual_time
async def test_age_is_the_time_since_the_last_sign_of_life() -> None:
    async with informing([*LISTED, 50.0, bookmark(9), 20.0, Unreachable("cut", sent=False)]) as (
        api,
        world,
    ):
        await asyncio.sleep(49)
        assert world.informer.age() == 49
        await asyncio.sleep(11)
        assert world.informer.age() == 10
        api.watches = [[failure(403, "Forbidden")]] * 9
        await asyncio.sleep(10.05)
        assert world.informer.age() == pytest.approx(20.05), "a cut is none"
        await asyncio.sleep(1)
        assert world.informer.age() < 1, "a refusal is one: a restart would not change its mind"


@virtual_time
async def test_each_page_of_a_list_is_a_sign_of_life() -> None:
    class SlowPages(ScriptedApi):
        async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
            await asyncio.sleep(20)
            return await super().get(path, query)

    api = SlowPages()
    api.watches, api.pages = [[bookmark(1)]], [page(5, "a", rest="more"), page(5, "b")]
    world = World(api, "", "")
    task = asyncio.ensure_future(world.informer.run())
    await asyncio.sleep(30)
    assert world.informer.age() == 10
    assert world.informer.title() == "things in all namespaces"
    assert api.asked[0][1] == "/apis/test.imooc.com/v1/things"
    task.cancel()
