"""A pass does what is missing, in the right order, and leaves nothing behind."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from imooc_operator.client.errors import Conflict, Unreachable
from imooc_operator.runtime.controller import Result
from imooc_operator.runtime.events import Event
from support.builders import NOW
from support.fake_api import Request
from support.one_pass import KEY, World, fail, once
from support.virtual import virtual_time

Told = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    """Return the fields of the log records with a message, at INFO and above."""
    caplog.set_level(logging.INFO, "imooc_operator")

    def fields(message: str) -> list[dict[str, Any]]:
        return [vars(r) for r in caplog.records if r.getMessage() == message]

    return fields


def test_from_zero_pods_come_first_and_one_status_says_so(told: Told) -> None:
    @virtual_time
    async def check() -> None:
        world = World(3)
        assert await world.pass_() == Result()
        assert world.api.asked() == ["create pods"] * 3 + ["update status"]
        update = world.api.requests[-1]
        assert set(update.body) == {"apiVersion", "kind", "metadata", "status"}
        meta = world.cr()["metadata"]
        identity = {part: meta[part] for part in ("name", "namespace", "uid")}
        assert update.body["metadata"] == {**identity, "resourceVersion": "101"}, (
            "the version it was made from"
        )
        status = world.cr()["status"]
        assert status["podNames"] == sorted(world.pods())
        assert {c["lastTransitionTime"] for c in status["conditions"]} == {NOW}
        assert world.store.get("pods", "default", status["podNames"][0])["spec"]["containers"][0][
            "image"
        ] == ("busybox:1")
        assert await world.pass_() == Result()
        assert world.api.asked() == [], "its own writes are known without the watch"
        assert world.told == []

    check()
    (line,) = told("pods created")
    assert (line["levelname"], line["key"], line["count"]) == ("INFO", KEY, 3)


@virtual_time
async def test_a_change_of_a_pod_concerns_the_imoocpod_that_controls_it() -> None:
    world = World(1)
    await world.pass_()
    _, pods = world.reconciler.watches
    (kept,) = pods.cache.indexed(world.cr()["metadata"]["uid"])
    assert pods.key(kept) == KEY


@virtual_time
async def test_nothing_is_asked_for_a_key_without_an_imoocpod() -> None:
    world = World(3)
    world.store.delete("imoocpods", "default", "web", {})
    world.catch_up()
    assert await world.pass_() == Result()
    assert world.api.asked() == []


def test_surplus_is_deleted_by_uid_and_not_twice(told: Told) -> None:
    @virtual_time
    async def check() -> None:
        world = World(3)
        await world.pass_()
        world.catch_up()
        uids = {p["metadata"]["uid"]: p["metadata"]["name"] for p in world.store.all("pods", "")}
        world.store.graceful = True
        world.scale(1)
        assert await world.pass_() == Result()
        assert world.api.asked() == ["delete pods"] * 2 + ["update status"]
        deletes = world.api.requests[:2]
        assert all(set(r.body) == {"preconditions"} for r in deletes)
        assert [uids[r.body["preconditions"]["uid"]] for r in deletes] == [r.name for r in deletes]
        assert await world.pass_() == Result()
        assert world.api.asked() == []
        gone.extend(r.name for r in deletes)

    gone: list[str] = []
    check()
    lines = told("pod deleted")
    assert [line["pod"] for line in lines] == gone
    assert {(line["levelname"], line["key"], line["why"]) for line in lines} == {
        ("INFO", KEY, "surplus")
    }


@pytest.mark.parametrize(
    ("wished", "then"),
    [
        pytest.param(3, ["update status"], id="they follow a newer spec"),
        pytest.param(1, ["delete pods"] * 2, id="they are wrong"),
    ],
)
@virtual_time
async def test_before_a_surplus_that_came_back_is_deleted_the_spec_is_asked_for(
    wished: int, then: list[str]
) -> None:
    """A second leader makes pods; our watch of ImoocPods has told nothing since `replicas: 1`."""
    world = World(3)
    await world.pass_()
    world.scale(1)
    await world.pass_()
    assert world.api.asked() == ["delete pods"] * 2 + ["update status"], "no doubt yet"
    world.scale(wished, "pods")
    (pod,) = world.store.all("pods", "")
    for name in ("a", "b"):
        meta = {**pod["metadata"], "name": name}
        world.store.create("pods", "default", {**pod, "metadata": meta})
    world.catch_up("pods")
    await world.pass_()
    assert world.api.asked() == ["get imoocpods", *then]
    assert len(world.pods()) == wished


@virtual_time
async def test_the_pods_of_others_come_before_a_status() -> None:
    world = World(2)
    assert await world.reconciler.reconcile(KEY) == Result(requeue_after=0)
    assert world.api.asked() == ["create pods"] * 2
    assert await world.reconciler.reconcile(KEY) == Result()
    assert world.api.asked() == ["create pods"] * 2 + ["update status"]


@virtual_time
async def test_finished_pods_are_told_of_and_cleaned_up_before_others_are_made() -> None:
    world = World(2)
    await world.pass_()
    for name, phase in zip(world.pods(), ("Failed", "Succeeded"), strict=True):
        world.store.patch("pods", "default", name, {"status": {"phase": phase}}, "status")
    world.catch_up()
    await world.pass_()
    assert world.api.asked() == ["delete pods"] * 2 + ["create pods"] * 2 + ["update status"]
    assert world.told == [
        Event(world.about(), "Warning", "PodsFailed", "Replace", "1 failed pods are replaced"),
        Event(world.about(), "Normal", "PodsSucceeded", "Replace", "1 ended pods are replaced"),
    ]


@virtual_time
async def test_the_name_of_a_pod_that_is_still_ending_is_not_asked_for_again() -> None:
    """1 → 0 → 1, and the watch of pods has told nothing of it yet."""
    world = World(1)
    await world.pass_()
    world.catch_up()
    world.store.graceful = True
    for replicas in (0, 1):
        world.scale(replicas, "imoocpods")
        await world.pass_()
    assert world.api.asked() == ["create pods", "update status"]


@virtual_time
async def test_surplus_and_outdated_pods_are_no_event_each() -> None:
    world = World(2)
    await world.pass_()
    world.scale(1)
    await world.pass_()
    assert world.told == []


@virtual_time
async def test_no_pod_is_made_for_a_spec_that_breaks_the_types() -> None:
    world = World(1)
    world.scale(-1)
    await world.pass_()
    assert world.api.asked() == ["update status"]
    assert world.told[0].reason == "InvalidSpec"


@virtual_time
async def test_nothing_is_kept_of_an_imoocpod_that_is_gone() -> None:
    """Or memory would grow with all that ever was."""
    world = World(2)

    def occupy(request: Request) -> None:
        meta = {"name": request.body["metadata"]["name"]}
        world.store.create("pods", "default", {"metadata": meta})
        raise Unreachable("cut", sent=True)

    world.api.before["create pods"] = once(occupy)
    with pytest.raises(Unreachable):
        await world.pass_()
    world.api.before["update status"] = once(fail(Conflict("w", 409)))
    await world.pass_()
    world.store.delete("imoocpods", "default", "web", {})
    world.catch_up()
    await world.pass_()
    held = {name: kept for name, kept in vars(world.reconciler).items() if "watches" not in name}
    assert [n for n, kept in held.items() if isinstance(kept, dict | set) and KEY in kept] == []


def test_a_dry_run_tells_its_plan_and_writes_nothing(told: Told) -> None:
    @virtual_time
    async def check() -> None:
        world = World(2, dry_run=True)
        assert await world.pass_() == Result()
        assert world.api.asked() == []

    check()
    (line,) = told("plan")
    assert (line["levelname"], line["key"]) == ("INFO", KEY)
    assert [action.partition("'")[0] for action in line["actions"]] == ["CreatePod(name="] * 2
