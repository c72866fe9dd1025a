"""One pass: what it asks of the API server, in which order, and what it makes of each answer.

The caches are filled by hand, as far as the watch is to have come.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import closing
from typing import Any

import pytest

from imooc_operator.client.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    ServerFailure,
    Unreachable,
    refusal,
)
from imooc_operator.kinds.imoocpod.reconciler import TRUCE, Reconciler
from imooc_operator.runtime.controller import Result, TerminalError
from imooc_operator.runtime.events import Event, Reference
from imooc_operator.runtime.informer import Decoder
from support.builders import NOW
from support.fake_api import Request
from support.memory_api import MemoryApi
from support.store import Object, Refusal, Store
from support.virtual import virtual_time

KEY = "default/web"

Hook = Callable[[Request], None]


class Api(MemoryApi):
    """Remembers its requests; runs hooks before a request is applied, and before it is answered."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.requests: list[Request] = []
        self.before: dict[str, Hook] = {}
        self.after: dict[str, Hook] = {}

    def asked(self, *verbs: str) -> list[str]:
        """Return the requests in short form, of these verbs or of all."""
        return [_short(r) for r in self.requests if not verbs or r.verb in verbs]

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        return await self._hooked("GET", path, b"{}", super().get(path, query))

    async def create(self, path: str, body: bytes) -> bytes:
        return await self._hooked("POST", path, body, super().create(path, body))

    async def update(self, path: str, body: bytes) -> bytes:
        return await self._hooked("PUT", path, body, super().update(path, body))

    async def delete(self, path: str, body: bytes) -> bytes:
        return await self._hooked("DELETE", path, body, self._delete(path, body))

    async def _delete(self, path: str, body: bytes) -> bytes:
        request = Request("DELETE", path, {}, json.loads(body), {})
        where = (request.plural, request.namespace, request.name)
        try:
            return json.dumps(self.store.delete(*where, request.body)).encode()
        except Refusal as error:
            status = {"reason": error.reason, "message": str(error)}
            raise refusal(path, error.code, json.dumps(status).encode()) from error

    async def _hooked(
        self, method: str, path: str, body: bytes, applied: Coroutine[Any, Any, bytes]
    ) -> bytes:
        request = Request(method, path, {}, json.loads(body), {})
        self.requests.append(request)
        with closing(applied):
            if hook := self.before.get(_short(request)):
                hook(request)
            answer = await applied
        if hook := self.after.get(_short(request)):
            hook(request)
        return answer


def _short(request: Request) -> str:
    return f"{request.verb} {request.subresource or request.plural}"


class World:
    """An ImoocPod `default/web`, its reconciler, and what that told people."""

    def __init__(self, replicas: int, *, dry_run: bool = False, api: type[Api] = Api) -> None:
        self.store = Store()
        self.api = api(self.store)
        self.told: list[Event] = []
        self.reconciler = Reconciler(
            self.api,
            scope_of=lambda namespace: namespace,
            pod_image="busybox:1",
            now=lambda: NOW,
            emit=self.told.append,
            dry_run=dry_run,
        )
        body = {"metadata": {"name": "web"}, "spec": {"replicas": replicas}}
        self.store.create("imoocpods", "default", body)
        self.catch_up()

    def catch_up(self, *plurals: str) -> None:
        """Let the watches, or those of `plurals`, bring all that has happened."""
        for watch in self.reconciler.watches:
            if plurals and watch.resource.plural not in plurals:
                continue
            items = self.store.all(watch.resource.plural, "default")
            decoder: Decoder[Any, Any] = watch.decoder
            raw = [decoder.object.decode(json.dumps(item)) for item in items]
            seen: list[Any] = [kept for item in raw if (kept := decoder.view(item))]
            watch.cache.replace("default", seen, self.store.revision, rewind=False)

    def scale(self, replicas: int, *seen_by: str) -> None:
        self.store.patch("imoocpods", "default", "web", {"spec": {"replicas": replicas}}, "")
        self.catch_up(*seen_by)

    async def pass_(self) -> Result:
        """Make one pass, with no request yet to its account."""
        self.api.requests.clear()
        return await self.reconciler.reconcile(KEY)

    def pods(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.store.all("pods", "default")]

    def cr(self) -> Object:
        return self.store.get("imoocpods", "default", "web")

    def condition(self, kind: str) -> Object:
        found: Object
        (found,) = (c for c in self.cr()["status"]["conditions"] if c["type"] == kind)
        return found

    def about(self) -> Reference:
        uid = self.cr()["metadata"]["uid"]
        return Reference("k8s.imooc.com/v1alpha1", "ImoocPod", "default", "web", uid)


def fail(error: Exception) -> Hook:
    def hook(request: Request) -> None:
        raise error

    return hook


def once(hook: Hook) -> Hook:
    left = [hook]

    def only(request: Request) -> None:
        if left:
            left.pop()(request)

    return only


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[dict[str, Any]]]:
    """Return the fields of the log records with a message, at INFO and above."""
    caplog.set_level(logging.INFO, "imooc_operator")

    def fields(message: str) -> list[dict[str, Any]]:
        return [vars(r) for r in caplog.records if r.getMessage() == message]

    return fields


Told = Callable[[str], list[dict[str, Any]]]


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


@pytest.mark.parametrize("error", [AlreadyExists("w", 409)])
@virtual_time
async def test_a_name_said_to_exist_that_does_not_is_tried_again(error: ApiError) -> None:
    world = World(1)
    world.api.before["create pods"] = once(fail(error))
    await world.pass_()
    assert world.api.asked() == ["create pods", "get pods", "create pods", "update status"]
    first, second = (r.body["metadata"]["name"] for r in world.api.requests if r.verb == "create")
    assert first == second
