"""What the API server refuses is reported, looked into and tried again."""

import asyncio

import pytest

from imooc_operator.client.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
)
from imooc_operator.kinds.imoocpod.reconciler import TRUCE
from imooc_operator.runtime.controller import Result, TerminalError
from imooc_operator.runtime.events import Event
from support.fake_api import Request
from support.one_pass import World, fail, once
from support.store import Object
from support.virtual import virtual_time

POD = 'pods "web-pod-x" is forbidden: '


REFUSALS = [
    pytest.param(
        Forbidden("w", 403, message=f"{POD}exceeded quota: q"),
        ("QuotaExceeded", "exceeded quota: q"),
        id="quota",
    ),
    pytest.param(
        Forbidden("w", 403, message=f"{POD}it is forbidden: by a webhook"),
        ("AdmissionDenied", "it is forbidden: by a webhook"),
        id="admission",
    ),
    pytest.param(
        Forbidden("w", 403, message="no"), ("AdmissionDenied", "no"), id="admission, in other words"
    ),
    pytest.param(
        Forbidden("w", 403, message='pods is forbidden: User "u" cannot create'),
        ("NotPermitted", 'pods is forbidden: User "u" cannot create'),
        id="rights",
    ),
    pytest.param(Invalid("w", 422, message="bad"), ("PodInvalid", "bad"), id="invalid"),
]


@pytest.mark.parametrize(("error", "reported"), REFUSALS)
@virtual_time
async def test_a_refusal_is_reported_in_the_status_and_tried_again_by_the_controller(
    error: ApiError, reported: tuple[str, str]
) -> None:
    world = World(3)
    world.api.before["create pods"] = fail(error)
    with pytest.raises(type(error)):
        await world.pass_()
    assert world.api.asked() == ["create pods", "update status"]
    degraded = world.condition("Degraded")
    assert (degraded["status"], degraded["reason"], degraded["message"]) == ("True", *reported)
    assert world.told == [Event(world.about(), "Warning", reported[0], "Reconcile", reported[1])]
    with pytest.raises(type(error)):
        await world.pass_()
    assert world.api.asked() == ["create pods"], "the status says so already"
    del world.api.before["create pods"]
    await world.pass_()
    assert world.api.asked() == ["create pods"] * 3 + ["update status"]
    assert world.told[1:] == [
        Event(world.about(), "Normal", "Recovered", "Reconcile", f"{reported[0]} is over")
    ]


@virtual_time
async def test_in_a_namespace_that_is_being_deleted_nothing_is_tried_again() -> None:
    world = World(3)
    world.api.before["create pods"] = fail(Forbidden("w", 403, causes=("NamespaceTerminating",)))
    with pytest.raises(TerminalError, match=r"^the namespace is being deleted$"):
        await world.pass_()
    assert world.api.asked() == ["create pods"]


@pytest.mark.parametrize(
    "error", [NotFound("w", 404), Conflict("w", 409)], ids=["not found", "conflict"]
)
@virtual_time
async def test_a_delete_that_is_refused_is_looked_into(error: ApiError) -> None:
    world = World(1)
    await world.pass_()
    world.scale(0)
    (name,) = world.pods()

    def vanish(request: Request) -> None:
        world.store.delete("pods", "default", name, {})
        raise error

    world.api.before["delete pods"] = vanish
    assert await world.pass_() == Result()
    assert world.api.asked() == ["delete pods", "get pods", "update status"]
    assert world.api.requests[1].name == name
    assert world.cr()["status"]["replicas"] == 0


@pytest.mark.parametrize("name_taken", [True, False], ids=["another of its name", "let go"])
@virtual_time
async def test_a_pod_that_is_no_longer_ours_is_asked_after_once(name_taken: bool) -> None:
    world = World(1)
    await world.pass_()
    world.scale(0, "imoocpods")
    (name,) = world.pods()

    def change(request: Request) -> None:
        if name_taken:
            world.store.delete("pods", "default", name, {})
            world.store.create("pods", "default", {"metadata": {"name": name}})
        else:
            owners: Object = {"metadata": {"ownerReferences": None}}
            world.store.patch("pods", "default", name, owners, "")
            raise Conflict("w", 409)

    world.api.before["delete pods"] = change
    assert await world.pass_() == Result()
    assert world.api.asked() == ["delete pods", "get pods", "update status"]
    assert world.pods() == [name]


@pytest.mark.parametrize("error", [AlreadyExists("w", 409)])
@virtual_time
async def test_a_name_said_to_exist_that_does_not_is_tried_again(error: ApiError) -> None:
    world = World(1)
    world.api.before["create pods"] = once(fail(error))
    await world.pass_()
    assert world.api.asked() == ["create pods", "get pods", "create pods", "update status"]
    first, second = (r.body["metadata"]["name"] for r in world.api.requests if r.verb == "create")
    assert first == second


OF_ITS_PREDECESSOR = {
    "apiVersion": "k8s.imooc.com/v1alpha1",
    "kind": "ImoocPod",
    "name": "web",
    "uid": "another",
    "controller": True,
}


@pytest.mark.parametrize(
    "owners",
    [
        pytest.param([], id="nobody's"),
        pytest.param([OF_ITS_PREDECESSOR], id="of an ImoocPod that is gone"),
    ],
)
@virtual_time
async def test_a_name_that_is_someone_elses_is_passed_over_from_then_on(
    owners: list[Object],
) -> None:
    world = World(1)

    def occupy(request: Request) -> None:
        name = request.body["metadata"]["name"]
        world.store.create("pods", "default", {"metadata": {"name": name}})
        world.store.patch("pods", "default", name, {"metadata": {"ownerReferences": owners}}, "")

    world.api.before["create pods"] = once(occupy)
    await world.pass_()
    assert world.api.asked() == ["create pods", "get pods", "create pods", "update status"]
    taken, made = (r.body["metadata"]["name"] for r in world.api.requests if r.verb == "create")
    assert world.cr()["status"]["podNames"] == [made]
    world.store.delete("pods", "default", made, {})
    world.store.patch("imoocpods", "default", "web", {"status": {"podNames": []}}, "status")
    world.catch_up()
    await asyncio.sleep(TRUCE)
    await world.pass_()
    assert world.api.asked() == ["create pods", "update status"]
    assert world.api.requests[0].body["metadata"]["name"] != taken
