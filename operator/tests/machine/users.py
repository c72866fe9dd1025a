"""What users do."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from machine.pods import controller
from machine.rules import PICKS, REPLICAS, WAITS, Rules, pick
from support.store import Object

PLACES = [("a", "web"), ("a", "db"), ("b", "web")]

TEMPLATES = [
    {"image": None, "command": None, "resources": None},
    {"image": "busybox:1.36"},
    {"command": ["sleep", "7200"]},
    {"resources": {"limits": {"cpu": "1"}}},
]


class Users(Rules):
    """They make, change and delete ImoocPods, and meddle with pods."""

    def __init__(self) -> None:
        super().__init__()
        self._released: list[tuple[Object, list[Object]]] = []

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

    def _delete(self, cr: Object, *, orphan: bool) -> None:
        meta = cr["metadata"]
        options = {"propagationPolicy": "Orphan" if orphan else "Background"}
        self._world.store.delete("imoocpods", meta["namespace"], meta["name"], options)

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
