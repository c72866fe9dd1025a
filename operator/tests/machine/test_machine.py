"""Users and faults in any order that hypothesis thinks of; the world always ends up as specified.

IMOOC_MACHINE_STEPS sets how many steps are taken at least.
"""

import asyncio
import os
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from machine.wire import REFUSALS
from machine.world import World, active, controller, is_ready, valid
from support.store import Object
from support.virtual import virtual_loop

T = TypeVar("T")

STEPS = int(os.environ.get("IMOOC_MACHINE_STEPS", "10000"))
STEPS_EACH = 50
"""Steps of one example, from an empty world to the final reckoning."""

PLACES = [("a", "web"), ("a", "db"), ("b", "web")]

WAITS = st.sampled_from((0.0, 0.0, 0.001, 0.01, 0.3, 3.0, 40.0, 200.0))
"""Seconds that pass after a step: from less than a request takes to more than a watch lives."""

PICKS = st.integers(0, 9)
"""Which of several things, counted round."""

REPLICAS = st.integers(0, 4)

CALLS = [
    ("create", "pods"),
    ("delete", "pods"),
    ("update", "imoocpods/status"),
    ("get", "pods"),
    ("get", "imoocpods"),
    ("list", "pods"),
    ("list", "imoocpods"),
    ("watch", "pods"),
    ("watch", "imoocpods"),
    ("patch", "leases"),
]

FAULTS = [*REFUSALS, "lost", "applied, lost", "applied, 504", "late", "no JSON", "old"]

TEMPLATES = [
    {"image": None, "command": None, "resources": None},
    {"image": "busybox:1.36"},
    {"command": ["sleep", "7200"]},
    {"resources": {"limits": {"cpu": "1"}}},
]

TAMPERS = {
    "doubled": lambda lines: [line for line in lines for _ in range(2)],
    "backwards": lambda lines: lines[::-1],
}


def pick(things: Sequence[T], number: int) -> T:
    return things[number % len(things)]


def wants_pods(cr: Object) -> bool:
    return valid(cr) and cr["spec"]["replicas"] > 0


class Machine(RuleBasedStateMachine):
    """Rules by what users do, what the cluster does, and what goes wrong."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self._loop = virtual_loop()
        self._world = World(self._loop.time)
        self._rivals = False
        self._released: list[tuple[Object, list[Object]]] = []

    @initialize(
        kind=st.sampled_from(("one", "one", "two that elect", "two that do not know")),
        streams=st.booleans(),
    )
    def begin(self, kind: str, streams: bool) -> None:
        world = self._world
        world.conditions.streams = streams
        world.elects = kind == "two that elect"
        self._rivals = kind == "two that do not know"

        async def start() -> None:
            world.start()
            if kind != "one":
                world.start()

        self._run(start())

    # What users do

    @rule(place=st.sampled_from(PLACES), replicas=REPLICAS, wait=WAITS)
    def create(self, place: tuple[str, str], replicas: int, wait: float) -> None:
        if ("imoocpods", *place) not in self._world.store.objects:
            self._world.create(*place, replicas)
        self._pass(wait)

    @precondition(lambda self: self._world.crs())
    @rule(number=PICKS, replicas=REPLICAS, wait=WAITS)
    def scale(self, number: int, replicas: int, wait: float) -> None:
        self._change(pick(self._world.crs(), number), {"replicas": replicas})
        self._pass(wait)

    @precondition(lambda self: self._world.crs())
    @rule(number=PICKS, there=REPLICAS, back=REPLICAS, wait=WAITS)
    def scale_there_and_back(self, number: int, there: int, back: int, wait: float) -> None:
        for replicas in (there, back):
            self._change(pick(self._world.crs(), number), {"replicas": replicas})
        self._pass(wait)

    @precondition(lambda self: self._world.crs())
    @rule(number=PICKS, replicas=st.sampled_from((-1, 10**9, "three", None)), wait=WAITS)
    def ask_for_nonsense(self, number: int, replicas: object, wait: float) -> None:
        self._change(pick(self._world.crs(), number), {"replicas": replicas})
        self._pass(wait)

    @precondition(lambda self: self._world.crs())
    @rule(number=PICKS, template=st.sampled_from(TEMPLATES), wait=WAITS)
    def change_the_template(self, number: int, template: Object, wait: float) -> None:
        self._change(pick(self._world.crs(), number), template)
        self._pass(wait)

    @precondition(lambda self: self._world.crs())
    @rule(number=PICKS, orphan=st.booleans(), wait=WAITS)
    def delete(self, number: int, orphan: bool, wait: float) -> None:
        self._delete(pick(self._world.crs(), number), orphan=orphan)
        self._pass(wait)

    @precondition(lambda self: self._world.crs())
    @rule(number=PICKS, replicas=REPLICAS, orphan=st.booleans(), wait=WAITS)
    def make_anew(self, number: int, replicas: int, orphan: bool, wait: float) -> None:
        cr = pick(self._world.crs(), number)
        self._delete(cr, orphan=orphan)
        self._world.create(cr["metadata"]["namespace"], cr["metadata"]["name"], replicas)
        self._pass(wait)

    @precondition(lambda self: self._world.crs())
    @rule(number=PICKS, status=st.sampled_from(({"podNames": ["x"]}, {"replicas": "many"})))
    def spoil_the_status(self, number: int, status: Object) -> None:
        meta = pick(self._world.crs(), number)["metadata"]
        store = self._world.store
        store.patch("imoocpods", meta["namespace"], meta["name"], {"status": status}, "status")

    @precondition(lambda self: self._world.owned())
    @rule(number=PICKS, graceful=st.booleans(), wait=WAITS)
    def delete_a_pod(self, number: int, graceful: bool, wait: float) -> None:
        self._delete_pod(pick(self._world.owned(), number), graceful=graceful)
        self._pass(wait)

    @precondition(lambda self: self._world.owned())
    @rule(number=PICKS, wait=WAITS)
    def take_the_place_of_a_pod(self, number: int, wait: float) -> None:
        pod = pick(self._world.owned(), number)
        self._delete_pod(pod, graceful=False)
        self._make_foreign(pod["metadata"]["namespace"], pod["metadata"]["name"])
        self._pass(wait)

    @rule(place=st.sampled_from(PLACES), number=PICKS, of_a_replica_set=st.booleans())
    def make_a_foreign_pod(
        self, place: tuple[str, str], number: int, of_a_replica_set: bool
    ) -> None:
        namespace, app = place
        name = f"{app}-pod-{number}"
        if ("pods", namespace, name) not in self._world.store.objects:
            self._make_foreign(namespace, name, {"app": app}, of_a_replica_set=of_a_replica_set)

    @precondition(lambda self: self._world.owned())
    @rule(number=PICKS, label_too=st.booleans(), wait=WAITS)
    def release_a_pod(self, number: int, label_too: bool, wait: float) -> None:
        pod = pick(self._world.owned(), number)
        owners = pod["metadata"]["ownerReferences"]
        labels = {"labels": {"app": None}} if label_too else {}
        self._patch_pod(pod, {"metadata": {"ownerReferences": None, **labels}})
        self._released.append((pod, owners))
        self._pass(wait)

    @precondition(lambda self: self._released)
    @rule(wait=WAITS)
    def give_a_pod_back(self, wait: float) -> None:
        pod, owners = self._released.pop()
        meta, world = pod["metadata"], self._world
        there = world.store.objects.get(("pods", meta["namespace"], meta["name"]))
        owner = controller(pod) or ""
        alive = owner in {cr["metadata"]["uid"] for cr in world.crs()}
        if there and there["metadata"]["uid"] == meta["uid"] and alive:
            world.allowed[owner] += 1
            world.returned[owner] += 1
            self._patch_pod(pod, {"metadata": {"ownerReferences": owners}})
        self._pass(wait)

    @precondition(lambda self: self._world.owned())
    @rule(number=PICKS)
    def take_the_label_off(self, number: int) -> None:
        self._patch_pod(pick(self._world.owned(), number), {"metadata": {"labels": None}})

    # What the cluster does

    @precondition(lambda self: self._world.owned())
    @rule(number=PICKS, phase=st.sampled_from(("Failed", "Succeeded")), wait=WAITS)
    def a_pod_ends(self, number: int, phase: str, wait: float) -> None:
        pod = pick(self._world.owned(), number)
        self._world.doomed.pop(pod["metadata"]["uid"], None)
        self._world.set_status(pod, phase=phase)
        self._pass(wait)

    @precondition(lambda self: self._world.owned())
    @rule(number=PICKS, wait=WAITS)
    def a_pod_gets_ready_or_ceases_to_be(self, number: int, wait: float) -> None:
        pod = pick(self._world.owned(), number)
        if active(pod):
            self._world.set_status(pod, phase="Running", ready=not is_ready(pod))
        self._pass(wait)

    @rule(wait=WAITS)
    def all_pods_get_ready(self, wait: float) -> None:
        self._world.run_pods()
        self._pass(wait)

    @rule(linger=st.booleans())
    def deleted_pods_linger_from_now_on(self, linger: bool) -> None:
        self._world.store.graceful = linger

    # What goes wrong

    @rule(plural=st.sampled_from(("pods", "imoocpods")), number=PICKS, wait=WAITS)
    def watches_freeze(self, plural: str, number: int, wait: float) -> None:
        for operator in self._some(number):
            operator.wire.freeze(plural)
        self._pass(wait)

    @rule(wait=WAITS)
    def watches_thaw(self, wait: float) -> None:
        for operator in self._world.operators:
            operator.wire.thaw()
        self._pass(wait)

    @rule(number=PICKS, wait=WAITS)
    def connections_break(self, number: int, wait: float) -> None:
        for operator in self._some(number):
            operator.wire.reset()
        self._pass(wait)

    @rule(number=PICKS, wait=WAITS)
    def an_operator_is_cut_off(self, number: int, wait: float) -> None:
        for operator in self._some(number):
            operator.wire.cut = True
            operator.wire.reset()
        self._pass(wait)

    @rule(wait=WAITS)
    def all_are_reached_again(self, wait: float) -> None:
        for operator in self._world.operators:
            operator.wire.cut = False
        self._pass(wait)

    @rule(wait=WAITS)
    def the_history_is_forgotten(self, wait: float) -> None:
        self._world.store.compact()
        self._pass(wait)

    @rule(
        call=st.sampled_from(CALLS),
        fault=st.sampled_from(FAULTS),
        left=st.integers(1, 3),
        wait=WAITS,
    )
    def calls_go_wrong(
        self, call: tuple[str, str], fault: str | int, left: int, wait: float
    ) -> None:
        # To say of an object that it is not there is a lie that nobody can see through.
        if (call[0], fault) != ("get", 404):
            self._world.order(*call, fault, left)
        self._pass(wait)

    @rule()
    def remember_this_for_a_lie(self) -> None:
        store = self._world.store
        self._world.conditions.old = (store.revision, dict(store.objects))

    @rule(how=st.sampled_from((None, *TAMPERS)), wait=WAITS)
    def events_come(self, how: str | None, wait: float) -> None:
        self._world.upset(TAMPERS[how] if how else None, in_order=how != "backwards")
        self._pass(wait)

    @rule(seconds=st.sampled_from((0.0, 0.001, 0.1, 2.0)))
    def each_request_takes(self, seconds: float) -> None:
        self._world.delay = seconds

    @rule(number=PICKS, away=WAITS, wait=WAITS)
    def an_operator_crashes(self, number: int, away: float, wait: float) -> None:
        self._run(self._replace(number, away, crash=True))
        self._pass(wait)

    @rule(number=PICKS, wait=WAITS)
    def an_operator_is_replaced(self, number: int, wait: float) -> None:
        self._run(self._replace(number, 0.0, crash=False))
        self._pass(wait)

    # What must hold

    @invariant()
    def no_promise_is_broken(self) -> None:
        type(self).steps += 1
        self._world.check()

    @rule(kubelet=st.booleans())
    def faults_cease(self, kubelet: bool) -> None:
        self._run(self._world.settles(kubelet=kubelet))

    @precondition(lambda self: any(valid(cr) for cr in self._world.crs()))
    @rule(number=PICKS, replicas=REPLICAS)
    def faults_cease_and_somebody_scales(self, number: int, replicas: int) -> None:
        cr = pick([cr for cr in self._world.crs() if valid(cr)], number)
        missing = max(0, replicas - cr["spec"]["replicas"])
        self._run(self._world.reacts(lambda: self._change(cr, {"replicas": replicas}), missing))

    @precondition(
        lambda self: any(valid(cr) and cr["spec"]["replicas"] for cr in self._world.crs())
    )
    @rule(number=PICKS)
    def faults_cease_and_a_pod_goes(self, number: int) -> None:
        crs = [cr for cr in self._world.crs() if valid(cr) and cr["spec"]["replicas"]]

        def lose_one() -> None:
            self._delete_pod(self._world.owned(pick(crs, number))[0], graceful=False)

        self._run(self._world.reacts(lose_one, 1))

    def teardown(self) -> None:
        try:
            self._run(self._world.settles(kubelet=True))
            self._world.check()
        finally:
            self._run(self._world.end())
            self._loop.close()

    # How

    def _run(self, action: Coroutine[Any, Any, None]) -> None:
        self._loop.run_until_complete(action)

    def _pass(self, seconds: float) -> None:
        self._world.store.collect()
        self._run(asyncio.sleep(seconds))

    def _change(self, cr: Object, spec: Object) -> None:
        self._world.change(cr["metadata"]["namespace"], cr["metadata"]["name"], spec)

    def _delete(self, cr: Object, *, orphan: bool) -> None:
        meta = cr["metadata"]
        options = {"propagationPolicy": "Orphan" if orphan else "Background"}
        self._world.store.delete("imoocpods", meta["namespace"], meta["name"], options)

    def _delete_pod(self, pod: Object, *, graceful: bool) -> None:
        meta = pod["metadata"]
        self._world.doomed.pop(meta["uid"], None)
        options = {} if graceful else {"gracePeriodSeconds": 0}
        self._world.store.delete("pods", meta["namespace"], meta["name"], options)

    def _patch_pod(self, pod: Object, body: Object) -> None:
        meta = pod["metadata"]
        self._world.store.patch("pods", meta["namespace"], meta["name"], body, "")

    def _make_foreign(
        self,
        namespace: str,
        name: str,
        labels: Object | None = None,
        *,
        of_a_replica_set: bool = False,
    ) -> None:
        store = self._world.store
        body = {"kind": "Pod", "metadata": {"name": name, "labels": labels or {}}, "spec": {}}
        made = store.create("pods", namespace, body)
        if of_a_replica_set:
            owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": "x"}
            owners = {"metadata": {"ownerReferences": [{**owner, "controller": True}]}}
            made = store.patch("pods", namespace, name, owners, "")
        self._world.foreign[namespace, name] = made

    def _some(self, number: int) -> list[Any]:
        """Return one operator or all of them."""
        operators = self._world.operators
        return operators if number > 4 else operators[number : number + 1]

    async def _replace(self, number: int, away: float, *, crash: bool) -> None:
        operators = self._world.operators
        if operators:
            operator = operators.pop(number % len(operators))
            await (operator.crash() if crash else operator.terminate())
        await asyncio.sleep(away)
        self._world.start()


@pytest.mark.timeout(0)  # the number of steps decides; on a failure hypothesis shrinks for minutes
def test_the_world_ends_up_as_specified() -> None:
    Machine.steps = 0
    while Machine.steps < STEPS:  # an example may end before its last step
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=-(-(STEPS - Machine.steps) // STEPS_EACH),
                stateful_step_count=STEPS_EACH,
                suppress_health_check=list(HealthCheck),
            ),
        )
