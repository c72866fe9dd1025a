"""An answer goes into the caches, unless the watch has passed it."""

import json
from collections.abc import Callable

import pytest

from imooc_operator.client.errors import Conflict
from support.fake_api import Request
from support.one_pass import KEY, Api, World, fail, once
from support.store import Object
from support.virtual import virtual_time


def status(pod: Object) -> Object:
    return {"kind": "Status", "metadata": {}, "status": "Success"}


def released(pod: Object) -> Object:
    return {**pod, "metadata": {**pod["metadata"], "ownerReferences": []}}


@pytest.mark.parametrize("answer", [status, released])
@virtual_time
async def test_a_deleted_pod_that_the_answer_does_not_show_is_gone(
    answer: Callable[[Object], Object],
) -> None:
    class Other(Api):
        async def delete(self, path: str, body: bytes) -> bytes:
            return json.dumps(answer(json.loads(await super().delete(path, body)))).encode()

    world = World(1, api=Other)
    await world.pass_()
    world.scale(0)
    await world.pass_()
    assert world.api.asked() == ["delete pods", "update status"]
    assert len(world.reconciler.pods) == 0


@virtual_time
async def test_an_answer_that_the_watch_has_passed_brings_no_ghost() -> None:
    """While the answer to the create was on its way, the pod came and went."""
    world = World(1)

    def vanish(request: Request) -> None:
        world.store.delete("pods", "default", request.body["metadata"]["name"], {})
        world.catch_up()

    world.api.after["create pods"] = once(vanish)
    await world.pass_()
    assert world.api.asked() == ["create pods", "create pods", "update status"]
    assert world.cr()["status"]["podNames"] == world.pods()


@virtual_time
async def test_the_answer_to_a_status_brings_no_imoocpod_back() -> None:
    world = World(0)

    def vanish(request: Request) -> None:
        world.store.delete("imoocpods", "default", "web", {})
        world.catch_up()

    world.api.after["update status"] = vanish
    await world.pass_()
    assert world.api.asked() == ["update status"]
    assert world.reconciler.crs.get(KEY) is None


@virtual_time
async def test_the_answer_to_a_look_brings_no_imoocpod_back() -> None:
    world = World(0)

    def vanish(request: Request) -> None:
        world.store.delete("imoocpods", "default", "web", {})
        world.catch_up()

    world.api.before["update status"] = fail(Conflict("w", 409))
    world.api.after["get imoocpods"] = vanish
    await world.pass_()
    assert world.api.asked() == ["update status", "get imoocpods"]


@virtual_time
async def test_the_answer_to_a_delete_brings_no_pod_back() -> None:
    world = World(1)
    await world.pass_()
    world.store.graceful = True
    world.scale(0)

    def reap(request: Request) -> None:
        world.store.reap()
        world.catch_up()

    world.api.after["delete pods"] = reap
    await world.pass_()
    assert len(world.reconciler.pods) == 0
