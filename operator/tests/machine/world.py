"""The truth, the operators in it, and what none of them may ever do.

The specification is here twice: `right` is the state that must be reached and kept, `inspect` what
each single request must respect on the way there.
"""

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec

from imooc_operator.__main__ import kinds
from imooc_operator.runtime.election import Election
from imooc_operator.runtime.events import Recorder
from imooc_operator.runtime.manager import Manager
from imooc_operator.runtime.metrics import Registry
from imooc_operator.settings import parse
from machine.pods import active, controller, finished, is_ready, template, valid, wanted_template
from machine.wire import Conditions, Order, Wire
from support.fake_api import Request
from support.store import Object, Store

STILL = 100.0
"""Virtual seconds without a write that count as the end."""

SOON = 5.0
"""Virtual seconds that an answer may take when nothing is wrong."""

RESTLESS = 1000
"""Requests within one step that no wish explains."""

_LOG = logging.getLogger("imooc_operator")

PATIENCE = 8000.0
"""Virtual seconds until the world must be right: failures may have grown to a pause of 1000 s."""


class Operator:
    """One process of the operator, from its start to its end."""

    def __init__(self, world: "World", number: int, *, elects: bool) -> None:
        self.wire = Wire(world.store, world.conditions, world.inspect)
        identity = f"operator-{number}"
        recorder = Recorder(self.wire, "k8s.imooc.com/test", identity)
        manager = Manager(
            self.wire,
            Registry(),
            scopes=("",),
            workers=4,
            recorder=recorder,
            election=Election(self.wire, "home", "lease", identity) if elects else None,
        )
        for kind in kinds(parse([], {}), self.wire, recorder):
            manager.add(kind)
        self._stop = asyncio.Event()
        self.task = asyncio.ensure_future(manager.run(self._stop))

    async def terminate(self) -> None:
        self._stop.set()
        await self.task

    async def crash(self) -> None:
        """End between two instructions; what is on its way may arrive or not."""
        self.wire.cut = True
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class World:
    """Objects, operators and weather; built anew for each example."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is the virtual time."""
        self._clock = clock
        self.store = Store(self._now)
        self.store.lazy = True
        self.store.watchers.append(self._count)
        self.delay = 0.0
        self.conditions = Conditions([], self._delays())
        self.operators: list[Operator] = []
        self.elects = False
        self.most = 0
        """How many operators there were at once."""
        self.late = False
        """Whether a request may arrive after all that its sender has given up."""
        self.ordered = True
        """Whether events always came in order: what broke it is not to be relied on until the next
        list, by the operator no more than by this test."""
        self.foreign: dict[tuple[str, str], Object] = {}
        self.allowed: Counter[str] = Counter()
        """By uid of an ImoocPod: the surplus pods that users have brought about."""
        self.returned: Counter[str] = Counter()
        """By uid of an ImoocPod: the pods that users have given back to it."""
        self._peak: Counter[str] = Counter()
        """By uid of an ImoocPod: the most replicas that were ever asked for."""
        self.doomed: dict[str, str] = {}
        """The pods that an operator wants to delete as surplus, with what controls them."""
        self.requests = 0
        """How many came since the last step."""
        self.complaints: list[str] = []
        self._asked: dict[str, int] = {}
        """By uid of an ImoocPod: the last number of replicas that made sense."""
        self._numbers = itertools.count(1)
        self._log = _Complaints(self.complaints)
        _LOG.addHandler(self._log)
        _LOG.setLevel(logging.ERROR)  # of the rest there are thousands

    def start(self) -> None:
        self.operators.append(Operator(self, next(self._numbers), elects=self.elects))
        self.most = max(self.most, len(self.operators))

    async def end(self) -> None:
        _LOG.removeHandler(self._log)
        _LOG.setLevel(logging.NOTSET)
        for operator in self.operators:
            await operator.crash()

    def order(self, verb: str, resource: str, fault: str | int, left: int) -> None:
        """Let the next `left` such calls go wrong."""
        self.conditions.orders.append(Order(verb, resource, fault, left))
        self.late = self.late or fault == "late"

    def upset(self, tamper: Callable[[list[bytes]], list[bytes]] | None, *, in_order: bool) -> None:
        """Let the events of all watches come as `tamper` has them."""
        self.conditions.tamper = tamper
        self.ordered = self.ordered and in_order

    def create(self, namespace: str, name: str, replicas: int) -> None:
        """Make an ImoocPod."""
        body = {
            "apiVersion": "k8s.imooc.com/v1alpha1",
            "kind": "ImoocPod",
            "metadata": {"name": name},
            "spec": {"replicas": replicas},
        }
        self._ask(self.store.create("imoocpods", namespace, body))

    def change(self, namespace: str, name: str, spec: Object) -> None:
        """Change the spec of an ImoocPod, and remember how many pods that makes surplus."""
        before = self.store.get("imoocpods", namespace, name)
        after = self.store.patch("imoocpods", namespace, name, {"spec": spec}, "")
        uid = after["metadata"]["uid"]
        if valid(before):
            self._asked[uid] = before["spec"]["replicas"]
        if valid(after):
            self._ask(after)
            self.allowed[uid] += max(0, self._asked[uid] - after["spec"]["replicas"])

    def _ask(self, cr: Object) -> None:
        uid = cr["metadata"]["uid"]
        self._peak[uid] = max(self._peak[uid], cr["spec"]["replicas"])

    # What there is

    def crs(self) -> list[Object]:
        return self.store.all("imoocpods", "")

    def pods(self) -> list[Object]:
        return self.store.all("pods", "")

    def owned(self, cr: Object | None = None) -> list[Object]:
        """Return the pods that `cr`, or any ImoocPod, controls."""
        uids = {c["metadata"]["uid"] for c in ([cr] if cr else self.crs())}
        return [pod for pod in self.pods() if controller(pod) in uids]

    # What there must be

    def wrong(self, *, grown: bool) -> str:
        """Return in what the world differs from the specification; "" when in nothing.

        `grown` says that all pods have had the time to get ready.
        """
        for cr in self.crs():
            name = f"{cr['metadata']['namespace']}/{cr['metadata']['name']}"
            if fault := self._wrong(cr, grown):
                return f"{name}: {fault}"
        return ""

    def _wrong(self, cr: Object, grown: bool) -> str:
        status = cr.get("status", {})
        said = {c["type"]: (c["status"], c["reason"]) for c in status.get("conditions") or ()}
        owned = self.owned(cr)
        counted = [pod for pod in owned if active(pod)]
        ready = sum(is_ready(pod) for pod in counted)
        names = sorted(pod["metadata"]["name"] for pod in counted)
        facts = {
            "replicas": len(counted),
            "readyReplicas": ready,
            "podNames": names,
            "observedGeneration": cr["metadata"]["generation"],
            "selector": f"app={cr['metadata']['name']}",
        }
        for field, value in facts.items():
            if status.get(field) != value:
                return f"status.{field} is {status.get(field)}, not {value}"
        if not valid(cr):
            right = said.get("Degraded") == ("True", "InvalidSpec")
            return "" if right else f"conditions are {said}"
        wanted = cr["spec"]["replicas"]
        if len(counted) != wanted:
            return f"{len(counted)} active pods, {wanted} wanted"
        if any(finished(pod) for pod in owned):
            return "finished pods are left"
        current = all(template(pod) == wanted_template(cr) for pod in counted)
        if grown and not current:
            return "pods are of an older template"
        whole = "True" if current and ready == wanted else "False"
        if said["Ready"][0] != whole or said["Degraded"][0] != "False":
            return f"conditions are {said}"
        return ""

    async def settles(self, *, kubelet: bool) -> None:
        """Heal everything; the world must become right, and stay so with no more writes."""
        self.heal()
        end, step = self._clock() + PATIENCE, 0.5
        while True:
            self.store.collect()
            if kubelet:
                self.run_pods()
            before = [*self.crs(), *self.pods()]
            await asyncio.sleep(step)
            self.check()
            fault = self.wrong(grown=kubelet)
            if [*self.crs(), *self.pods()] != before:
                fault = fault or "all is right, and yet something is written"
            if not fault and step == STILL:
                return
            assert self._clock() < end, f"not within {PATIENCE:g} s: {fault}"
            step = min(step * 2, STILL)

    async def reacts(self, act: Callable[[], None], made: int) -> None:
        """Heal everything and let `act` happen: soon it is answered by exactly that many pods."""
        await self.settles(kubelet=True)
        self.delay = 0.0
        since = self.store.revision
        act()
        await asyncio.sleep(SOON)
        pods = [e for e in self.store.since("pods", "", since) if controller(e.object)]
        assert sum(event.type == "ADDED" for event in pods) == made, "pods made"
        assert self.wrong(grown=False) == ""

    def heal(self) -> None:
        """End every fault; someone has to be there to act."""
        self.conditions.orders.clear()
        self.conditions.tamper = None
        self.delay = 0.001
        for operator in self.operators:
            operator.wire.cut = False
            operator.wire.thaw()
        if not self.operators:
            self.start()

    def run_pods(self) -> None:
        """Do the kubelet's part: what terminates ends, what lives gets ready."""
        self.store.reap()
        for pod in self.owned():
            if active(pod) and not is_ready(pod):
                self.set_status(pod, phase="Running", ready=True)

    def set_status(self, pod: Object, *, phase: str, ready: bool = False) -> None:
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        body = {"status": {"phase": phase, "conditions": conditions}}
        meta = pod["metadata"]
        self.store.patch("pods", meta["namespace"], meta["name"], body, "status")

    def check(self) -> None:
        """Assert what holds at any moment."""
        assert not self.complaints, self.complaints
        self.requests = 0
        for operator in self.operators:
            assert not operator.task.done(), "the operator ended by itself"
        for (namespace, name), pod in self.foreign.items():
            assert self.store.objects.get(("pods", namespace, name)) == pod, "a foreign pod"
        if self.most == 1 and not self.late:
            lasting = {pod["metadata"]["uid"] for pod in self.pods() if active(pod)}
            crs = {cr["metadata"]["uid"] for cr in self.crs()}
            surplus = Counter(cr for pod, cr in self.doomed.items() if pod not in lasting)
            for uid in crs & set(surplus):
                assert surplus[uid] <= self.allowed[uid], "more pods were made than were needed"

    def _count(self) -> None:
        """Note when there are more pods than can be explained.

        An operator makes no more than it misses, and it sees all that it made itself. So there are
        never more than were asked for at some time; where there are two operators, of which one
        does not see what the other does, never more than twice as many.
        """
        pod = self.store.history[-1].object
        uid = controller(pod) or ""
        if self.late or uid not in self._peak:
            return
        count = sum(controller(pod) == uid and active(pod) for pod in self.pods())
        most = self._peak[uid] * self.most + self.returned[uid]
        if count > most:
            self.complaints.append(f"{count} pods of {pod['metadata']['name']}'s, {most} at most")

    # What an operator may ask for

    def inspect(self, wire: Wire, request: Request) -> None:
        """Note every request that breaks a promise; an exception would only be retried."""
        self.requests += 1
        try:
            assert self.requests < RESTLESS, "one more of very many in a short time"
            self._inspect(wire, request)
        except (AssertionError, KeyError) as error:
            self.complaints.append(f"{request.verb} {request.path}: {error!r}")
            wire.cut = True  # that is enough

    def _inspect(self, wire: Wire, request: Request) -> None:
        match request.verb, request.plural, request.subresource:
            case ("get" | "list" | "watch", "pods" | "imoocpods" | "leases", ""):
                pass
            case ("create", "pods", ""):
                meta, known = (
                    request.body["metadata"],
                    wire.versions[controller(request.body) or ""],
                )
                owner = known[0]["metadata"]
                assert meta["namespace"] == request.namespace == owner["namespace"]
                assert meta["labels"] == {"app": owner["name"]}
                assert template(request.body) in [wanted_template(cr) for cr in known]
            case ("delete", "pods", ""):
                self._inspect_delete(wire, request)
            case ("update", "imoocpods", "status"):
                assert set(request.body) == {"apiVersion", "kind", "metadata", "status"}
                assert {"uid", "resourceVersion"} < set(request.body["metadata"])
            case ("create" | "patch", "leases", ""):
                assert request.namespace == "home"
                changes = request.verb == "patch"
                assert not changes or request.body["metadata"]["resourceVersion"]
            case ("create" | "patch", "events", ""):
                pass
            case _:
                raise AssertionError("this is none of its business")

    def _inspect_delete(self, wire: Wire, request: Request) -> None:
        named = request.body["preconditions"]["uid"]
        self.doomed.pop(named, None)
        assert any(controller(pod) for pod in wire.versions[named]), "of a pod that never was ours"
        if not self.ordered:
            return
        victim = wire.told.get(named)
        if victim is None:
            # Between a plan and its requests the loop may take an event: no time passes meanwhile.
            now = asyncio.get_running_loop().time()
            assert wire.ended[named] == now, "of a pod that it knows is gone"
            return
        assert victim["metadata"]["name"] == request.name
        owner = wire.told.get(controller(victim) or "")
        assert owner is not None, "of a pod that nobody it knows of controls"
        if finished(victim):
            return
        assert active(victim), "of a pod that is being deleted"
        uid = owner["metadata"]["uid"]
        rest = [pod for pod in wire.told.values() if controller(pod) == uid and active(pod)]
        if len(rest) > owner["spec"]["replicas"]:
            self.doomed[named] = uid
            return
        assert template(victim) != wanted_template(owner), "of a pod that was needed"
        if is_ready(victim):
            assert all(is_ready(pod) for pod in rest), "of a second pod that serves"

    # The rest

    def _delays(self) -> Iterator[float]:
        for factor in itertools.cycle((1, 0, 3, 1, 0, 0, 2)):
            yield self.delay * factor

    def _now(self) -> str:
        return datetime.fromtimestamp(1.7e9 + self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Complaints(logging.Handler):
    """Collects what the operator itself calls an error: a defect, unless it was fed nonsense."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._complaints = complaints

    def emit(self, record: logging.LogRecord) -> None:
        nonsense = record.exc_info and isinstance(record.exc_info[1], msgspec.DecodeError)
        if not nonsense:
            self._complaints.append(self.format(record))
