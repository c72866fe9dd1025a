"""A status is written onto the version it was computed from, or computed anew."""

import json

import pytest

from imooc_operator.client.errors import Conflict, Unreachable
from imooc_operator.runtime.controller import Result
from support.fake_api import Request
from support.one_pass import Api, World, fail, once
from support.virtual import virtual_time


@virtual_time
async def test_a_status_that_meets_a_newer_version_is_made_anew_from_that() -> None:
    world = World(1)

    def change(request: Request) -> None:
        world.store.patch("imoocpods", "default", "web", {"spec": {"replicas": 2}}, "")

    world.api.before["update status"] = once(change)
    assert await world.pass_() == Result()
    assert world.api.asked() == [
        *("create pods", "update status", "get imoocpods"),
        *("create pods", "update status"),
    ]
    status = world.cr()["status"]
    assert (status["replicas"], status["observedGeneration"]) == (2, 2)


@virtual_time
async def test_a_status_of_an_imoocpod_that_is_gone_ends_the_matter() -> None:
    world = World(1)

    def vanish(request: Request) -> None:
        world.store.delete("imoocpods", "default", "web", {})

    world.api.before["update status"] = once(vanish)
    assert await world.pass_() == Result()
    assert world.api.asked() == ["create pods", "update status", "get imoocpods"]
    await world.pass_()
    assert world.api.asked() == []


@virtual_time
async def test_a_look_at_the_imoocpod_that_fails_is_made_again_first() -> None:
    world = World(1)
    world.api.before["update status"] = once(fail(Conflict("w", 409)))
    world.api.before["get imoocpods"] = once(fail(Unreachable("cut", sent=True)))
    with pytest.raises(Unreachable):
        await world.pass_()
    await world.pass_()
    assert world.api.asked() == ["get imoocpods", "update status"]
    world.scale(2)
    await world.pass_()
    assert world.api.asked() == ["create pods", "update status"]


@virtual_time
async def test_a_status_that_an_older_crd_cuts_is_written_once_a_pass() -> None:
    class OlderCrd(Api):
        async def update(self, path: str, body: bytes) -> bytes:
            known = json.loads(body)
            del known["status"]["selector"]
            return await super().update(path, json.dumps(known).encode())

    world = World(1, api=OlderCrd)
    assert await world.pass_() == Result()
    assert world.api.asked() == ["create pods", "update status"]


@virtual_time
async def test_after_eight_plans_it_is_the_turn_of_others() -> None:
    world = World(0)
    world.api.before["update status"] = fail(Conflict("w", 409))
    assert await world.pass_() == Result(requeue_after=1.0)
    assert world.api.asked() == ["update status", "get imoocpods"] * 8
