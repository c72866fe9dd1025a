"""A create whose answer is lost is looked up, and nothing is made twice."""

import pytest

from imooc_operator.client.errors import ApiError, ServerFailure, Unreachable
from imooc_operator.runtime.controller import Result
from support.one_pass import World, fail, once
from support.virtual import virtual_time

LOST = [
    pytest.param(Unreachable("cut", sent=True), id="cut"),
    pytest.param(ServerFailure("w", 504), id="504"),
]


@pytest.mark.parametrize("applied", [False, True], ids=["lost before", "lost after"])
@pytest.mark.parametrize("error", LOST)
@virtual_time
async def test_a_create_without_an_answer_is_looked_up_once(error: ApiError, applied: bool) -> None:
    world = World(1)
    hooks = world.api.after if applied else world.api.before
    hooks["create pods"] = once(fail(error))
    with pytest.raises(type(error)):
        await world.pass_()
    (lost,) = world.api.requests
    name = lost.body["metadata"]["name"]
    await world.pass_()
    creates = [] if applied else ["create pods"]
    assert world.api.asked() == ["get pods", *creates, "update status"]
    assert world.api.requests[0].name == name
    assert world.pods() == [name]
    await world.pass_()
    assert world.api.asked() == []


@virtual_time
async def test_a_create_that_was_never_sent_is_not_looked_up() -> None:
    world = World(1)
    world.api.before["create pods"] = once(fail(Unreachable("refused", sent=False)))
    with pytest.raises(Unreachable):
        await world.pass_()
    await world.pass_()
    assert world.api.asked() == ["create pods", "update status"]


@virtual_time
async def test_a_look_up_that_fails_is_made_again() -> None:
    world = World(1)
    world.api.after["create pods"] = once(fail(Unreachable("cut", sent=True)))
    world.api.before["get pods"] = once(fail(Unreachable("cut", sent=True)))
    for _ in range(2):
        with pytest.raises(Unreachable):
            await world.pass_()
    await world.pass_()
    assert world.api.asked() == ["get pods", "update status"]
    assert len(world.pods()) == 1


@virtual_time
async def test_a_create_without_an_answer_is_looked_up_though_the_imoocpod_is_gone() -> None:
    world = World(1)
    world.api.after["create pods"] = once(fail(Unreachable("cut", sent=True)))
    with pytest.raises(Unreachable):
        await world.pass_()
    del world.store.objects["imoocpods", "default", "web"]  # the garbage collector takes its time
    world.catch_up()
    assert await world.pass_() == Result()
    assert world.api.asked() == ["get pods"]


@virtual_time
async def test_what_an_earlier_try_made_is_taken_over() -> None:
    """Another operator, or this one before a crash, was as far as the create."""
    first, second = World(2), World(2)
    second.store = first.store
    second.api.store = first.store
    await first.pass_()
    made = first.pods()
    assert await second.pass_() == Result()
    assert second.api.asked()[:4] == ["create pods", "get pods"] * 2
    assert second.pods() == made
    assert second.api.asked()[4:] == ["update status", "get imoocpods"], "the status was there too"
