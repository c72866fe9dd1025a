"""Observe, plan, act: one pass for one ImoocPod.

Invariant: the answers to own writes go into the caches before the next plan, so no plan is made on
a cluster this operator has already changed. Whatever a refusal or a lost answer puts in doubt (a
create without an answer, a pod or an ImoocPod said to be gone or changed) is read anew first.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import assert_never

import msgspec

from imooc_operator.client.api import ApiClient, Resource
from imooc_operator.client.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
)
from imooc_operator.runtime.batch import in_parallel, slow_start
from imooc_operator.runtime.cache import Cache
from imooc_operator.runtime.controller import Result, TerminalError
from imooc_operator.runtime.events import Event, Reference
from imooc_operator.runtime.informer import Decoder
from imooc_operator.runtime.kind import Watch
from imooc_operator.runtime.objects import Key, key_of, split_key
from imooc_operator.runtime.rights import Right

from . import api, observe
from .api import ImoocPod, ImoocPodStatus, RawImoocPod
from .news import News, news, replaced
from .observe import Failure, Observed, PodView, RawPod
from .plan import Action, CreatePod, DeletePod, SetStatus, plan
from .status import status_body, timeless
from .template import PodTemplate

log = logging.getLogger(__name__)

IMOOCPODS = Resource(api.GROUP, api.VERSION, api.PLURAL)
PODS = Resource("", "v1", "pods")

RIGHTS = (
    Right(IMOOCPODS, ("get", "list", "watch")),
    Right(IMOOCPODS, ("update",), subresource="status"),
    Right(PODS, ("create", "delete", "get", "list", "watch")),
)

PLANS = 8
"""Plans without an end, one after the other, before there is a pause: pods, status, some luck."""

TRUCE = 1.0
"""Seconds until a status that somebody else has replaced is written again: a second leader that
sees other pods for a while would otherwise answer each write with one of its own, without end."""


class Reconciler:
    """Brings pods and status of each ImoocPod to what its spec says."""

    name = "imoocpod"

    def __init__(
        self,
        client: ApiClient,
        scope_of: Callable[[str], str],
        pod_image: str,
        now: Callable[[], str],
        emit: Callable[[Event], None],
        dry_run: bool,
    ) -> None:
        """`scope_of` maps a namespace to the informer scope it is in; `now` is RFC 3339 in UTC.

        With `dry_run` a pass logs its plan and ends.
        """
        self.crs: Cache[ImoocPod] = Cache()
        self.pods: Cache[PodView] = Cache(index=lambda pod: pod.owner_uid)
        self._cr_decoder = Decoder(RawImoocPod, api.view)
        self._pod_decoder = Decoder(RawPod, observe.view)
        self.watches = (
            Watch(IMOOCPODS, self._cr_decoder, self.crs, key_of),
            Watch(PODS, self._pod_decoder, self.pods, observe.owner_key),
        )
        self._client = client
        self._scope_of = scope_of
        self._pod_image = pod_image
        self._now = now
        self._emit = emit
        self._dry_run = dry_run
        self._unsure: dict[Key, set[str]] = {}
        self._taken: dict[Key, set[str]] = {}
        self._outdated: set[Key] = set()
        self._said: dict[Key, tuple[int, float]] = {}
        self._trimmed: dict[Key, int] = {}
        self._plans: dict[Key, int] = {}

    async def reconcile(self, key: Key) -> Result:
        """Make and carry out one plan; raise what the controller should retry.

        After the pods it is the turn of other keys, which may lack some: statuses come last.
        """
        await self._settle(key)
        observed = self._observe(key)
        actions = plan(observed)
        if not actions:
            return self._ended(key)
        if self._dry_run:
            log.info("plan", extra={"key": key, "actions": [str(act) for act in actions]})
            return Result()
        if self._contradicted(key, actions):
            return Result(requeue_after=TRUCE)
        try:
            if self._undone(key, observed, actions):
                await self._refresh(key)
            elif await self._act(key, observed, actions):
                return self._ended(key)
        except (Forbidden, Invalid) as error:
            if "NamespaceTerminating" in error.causes:
                raise TerminalError("the namespace is being deleted") from error
            await self._report(key, _failure(error))
            raise
        return self._again(key)

    def _ended(self, key: Key) -> Result:
        self._plans.pop(key, None)
        return Result()

    def _again(self, key: Key) -> Result:
        made = self._plans.get(key, 0) + 1
        if made < PLANS:
            self._plans[key] = made
            return Result(requeue_after=0)
        del self._plans[key]
        return Result(requeue_after=1.0)

    def _observe(self, key: Key) -> Observed:
        taken = frozenset(self._taken.get(key, ()))
        observed = observe.observe(key, self.crs, self.pods, taken=taken, now=self._now())
        if observed.cr is None:
            self._taken.pop(key, None)
            self._said.pop(key, None)
            self._trimmed.pop(key, None)
            self._plans.pop(key, None)
        return observed

    async def _report(self, key: Key, failure: Failure) -> None:
        observed = replace(self._observe(key), failure=failure)
        await self._act(key, observed, plan(observed))

    async def _act(self, key: Key, observed: Observed, actions: tuple[Action, ...]) -> bool:
        """Carry out the actions; return whether a status was written, which ends a pass.

        Another look would find nothing to do, or the same for ever: an older CRD drops the fields
        of a status that it does not know.
        """
        cr = observed.cr
        if cr is None:
            return False
        creates: list[CreatePod] = []
        deletes: list[DeletePod] = []
        status: ImoocPodStatus | None = None
        for action in actions:
            match action:
                case CreatePod():
                    creates.append(action)
                case DeletePod():
                    deletes.append(action)
                case SetStatus():
                    status = action.status
                case _:
                    assert_never(action)
        # Cleaning up frees quota for what follows; the status comes when nothing else is left.
        if deletes:
            await in_parallel(deletes, self._delete)
            self._tell(cr, replaced([act.pod for act in deletes if act.why == "finished"]))
            if _trims(deletes):
                self._trimmed[key] = cr.generation
        if creates and cr.spec is not None:
            template = PodTemplate(cr, cr.spec, self._pod_image)
            await slow_start(creates, lambda action: self._create(key, template, action.name))
            log.info("pods created", extra={"key": key, "count": len(creates)})
        return status is not None and await self._set_status(cr, status)

    async def _create(self, key: Key, template: PodTemplate, name: str) -> None:
        namespace, _ = split_key(key)
        try:
            answer = await self._client.create(PODS.path(namespace), template.body(name))
        except AlreadyExists:
            await self._look_up(key, name)
        except ApiError as error:
            if error.outcome_unknown:
                self._unsure.setdefault(key, set()).add(name)
            raise
        else:
            self._learn_pod(answer)

    async def _settle(self, key: Key) -> None:
        """Read anew what earlier answers, or the lack of them, put in doubt."""
        if key in self._outdated:
            await self._refresh(key)
        for name in sorted(self._unsure.get(key, ())):
            await self._look_up(key, name)
        self._unsure.pop(key, None)

    async def _refresh(self, key: Key) -> None:
        """Take the ImoocPod over from the API server, which knows it better than our watch."""
        self._outdated.add(key)
        namespace, name = split_key(key)
        known = self.crs.get(key)
        try:
            answer = await self._client.get(IMOOCPODS.path(namespace, name))
        except NotFound:
            if known is not None:
                self.crs.forget(known)
        else:
            cr = api.view(self._cr_decoder.object.decode(answer))
            self.crs.learn(cr, self._scope_of(namespace))
        self._outdated.discard(key)

    async def _look_up(self, key: Key, name: str) -> None:
        """Take the pod `name` over from the API server, or remember that the name is not ours."""
        namespace, _ = split_key(key)
        known = self.pods.get(f"{namespace}/{name}")
        try:
            answer = await self._client.get(PODS.path(namespace, name))
        except NotFound:
            if known is not None:
                self.pods.forget(known)
            return
        pod = self._learn_pod(answer)
        if pod is None and known is not None:
            self.pods.forget(known)  # let go, or followed by a pod that no ImoocPod controls
        cr = self.crs.get(key)
        if cr is not None and (pod is None or pod.owner_uid != cr.uid):
            self._taken.setdefault(key, set()).add(name)

    async def _delete(self, action: DeletePod) -> None:
        pod = action.pod
        options = b'{"preconditions":{"uid":"%s"}}' % pod.uid.encode()
        try:
            answer = await self._client.delete(PODS.path(pod.namespace, pod.name), options)
        except (NotFound, Conflict):
            await self._look_up(observe.owner_key(pod), pod.name)  # gone, or another of its name
            return
        log.info(
            "pod deleted",
            extra={"key": observe.owner_key(pod), "pod": pod.name, "why": action.why},
        )
        try:
            deleted = observe.view(self._pod_decoder.object.decode(answer))
        except msgspec.ValidationError:
            deleted = None  # answered with a Status: gone at once
        if deleted is None:
            self.pods.forget(pod)
        else:
            terminating = msgspec.structs.replace(deleted, terminating=True)
            self.pods.learn(terminating, self._scope_of(pod.namespace))

    async def _set_status(self, cr: ImoocPod, status: ImoocPodStatus) -> bool:
        path = IMOOCPODS.path(cr.namespace, cr.name, "status")
        try:
            answer = await self._client.update(path, status_body(cr, status))
        except (Conflict, NotFound):
            # Changed, deleted or made anew since our watch last spoke.
            await self._refresh(key_of(cr))
            return False
        self.crs.learn(
            api.view(self._cr_decoder.object.decode(answer)), self._scope_of(cr.namespace)
        )
        self._said[key_of(cr)] = _gist(status), asyncio.get_running_loop().time()
        self._tell(cr, news(cr.status, status))
        return True

    def _contradicted(self, key: Key, actions: tuple[Action, ...]) -> bool:
        """Return whether all there is to do is to repeat what we said a moment ago."""
        said, when = self._said.get(key, (0, -TRUCE))
        return (
            asyncio.get_running_loop().time() < when + TRUCE
            and isinstance(actions[0], SetStatus)
            and _gist(actions[0].status) == said
        )

    def _undone(self, key: Key, observed: Observed, actions: tuple[Action, ...]) -> bool:
        """Return whether there is a surplus again that was deleted under this very spec.

        Someone makes pods that our spec has no place for: a second leader, who may know a newer
        one. Asking who is right ends what would else go on for as long as our watch is silent.
        """
        if observed.cr is None or not _trims(actions):
            return False
        return self._trimmed.pop(key, None) == observed.cr.generation

    def _tell(self, cr: ImoocPod, items: Iterable[News]) -> None:
        about = Reference(api.API_VERSION, api.KIND, cr.namespace, cr.name, cr.uid)
        for item in items:
            self._emit(Event(about, item.type, item.reason, item.action, item.note))

    def _learn_pod(self, answer: bytes) -> PodView | None:
        pod = observe.view(self._pod_decoder.object.decode(answer))
        if pod is not None:
            self.pods.learn(pod, self._scope_of(pod.namespace))
        return pod


def _trims(actions: Iterable[Action]) -> bool:
    return any(isinstance(action, DeletePod) and action.why == "surplus" for action in actions)


def _gist(status: ImoocPodStatus) -> int:
    return hash(msgspec.json.encode(timeless(status)))


def _failure(error: Forbidden | Invalid) -> Failure:
    """Return what the status should say about a refused write."""
    message = error.message
    if isinstance(error, Invalid):
        return Failure("PodInvalid", message)
    if "exceeded quota" in message:
        return Failure("QuotaExceeded", _stable(message))
    if "is forbidden: User " in message:
        return Failure("NotPermitted", message)
    return Failure("AdmissionDenied", _stable(message))


def _stable(message: str) -> str:
    """Return `message` without the pod's name, which differs in each attempt."""
    return message.partition(" is forbidden: ")[2] or message
