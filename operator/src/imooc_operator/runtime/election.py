"""One leader at a time by a Lease, so that replicas stand by with warm caches.

The rules are client-go's: a holder that has not renewed for the lease's duration, measured by our
own clock since we last saw it change, may be replaced; a holder that fails to renew for `deadline`
stops working before that. Unlike there, a standby watches the Lease and so takes over the moment
it is released. Invariant: correctness never hangs on the lease; two leaders do no harm, since every
write of a kind is safe to repeat.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from imooc_operator.client.api import ApiClient, Resource
from imooc_operator.client.errors import FAILURES, Conflict, NotFound

from .cache import Cache
from .informer import Decoder, Informer
from .objects import Key, ObjectMeta
from .rights import Right

log = logging.getLogger(__name__)

LEASES = Resource("coordination.k8s.io", "v1", "leases")


def rights(name: str) -> tuple[Right, ...]:
    """Return what a candidate for the lease `name` does, in the lease's namespace."""
    # A create cannot be held to a name: RBAC decides before it knows the object.
    return (
        Right(LEASES, ("create",)),
        Right(LEASES, ("get", "list", "patch", "watch"), name=name),
    )


class _LeaseSpec(msgspec.Struct, rename="camel"):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    lease_transitions: int | None = None


class _RawLease(msgspec.Struct):
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: _LeaseSpec = msgspec.field(default_factory=_LeaseSpec)


class _Lease(msgspec.Struct, frozen=True):
    namespace: str
    name: str
    uid: str
    revision: int
    holder: str
    duration: float
    transitions: int


def _view(raw: _RawLease) -> _Lease:
    meta, spec = raw.metadata, raw.spec
    return _Lease(
        meta.namespace,
        meta.name,
        meta.uid,
        meta.revision,
        holder=spec.holder_identity or "",
        duration=float(spec.lease_duration_seconds or 0),
        transitions=spec.lease_transitions or 0,
    )


@dataclass(frozen=True, slots=True)
class Pace:
    """The three times of an election, in seconds; the defaults are client-go's."""

    duration: float = 15.0
    """How long a standby waits since the last sign of life."""
    deadline: float = 10.0
    """How long the leader tries to renew before it stops working."""
    retry: float = 2.0
    """How often both try."""


class Election:
    """One candidate for one Lease."""

    def __init__(
        self,
        client: ApiClient,
        namespace: str,
        name: str,
        identity: str,
        pace: Pace | None = None,
    ) -> None:
        """`identity` must differ from that of every other candidate."""
        self._client = client
        self.namespace = namespace
        self.name = name
        self._key: Key = f"{namespace}/{name}"
        self._identity = identity
        self._pace = pace or Pace()
        self._decoder = Decoder(_RawLease, _view)
        self._leases: Cache[_Lease] = Cache()
        self._leases.listen(lambda old, new: self._moved())
        self._news = asyncio.Event()
        self._moved_at = 0.0
        self._leading = False
        self._resigned = False
        self.informer = Informer(client, LEASES, namespace, self._decoder, self._leases, name)

    @property
    def leading(self) -> bool:
        """Whether this candidate holds the lease, as far as it knows."""
        return self._leading

    def resign(self) -> None:
        """Seek the lease no more; lead() returns when the work in hand has ended."""
        self._resigned = True
        self._news.set()

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` whenever this candidate leads, until it ends by itself or we resign.

        Work is cancelled when the lease is lost; the lease is released when work ends.
        """
        while await self._acquired():
            self._leading = True
            log.info("leading", extra={"lease": self._key, "identity": self._identity})
            working = asyncio.ensure_future(work())
            holding = asyncio.ensure_future(self._hold())
            try:
                await asyncio.wait([working, holding], return_when=asyncio.FIRST_COMPLETED)
            finally:
                ended = working.done()
                for task in (working, holding):
                    task.cancel()
                outcomes = await asyncio.gather(working, holding, return_exceptions=True)
                self._leading = False
            if ended:
                await self._release()
                if isinstance(outcomes[0], Exception):
                    raise outcomes[0]
                return
            log.warning("leadership lost", extra={"lease": self._key, "reason": holding.result()})

    async def _acquired(self) -> bool:
        """Wait until the lease is ours; False when we resigned first."""
        await self.informer.synced.wait()
        waiting_for = None
        while not self._resigned:
            self._news.clear()
            lease = self._leases.get(self._key)
            wait = self._until_free(lease)
            if wait <= 0:
                if await self._take(lease):
                    return True
                wait = self._pace.retry * random.uniform(1.0, 1.2)  # noqa: S311 - spreads load, guards nothing
            elif lease is not None and lease.holder != waiting_for:
                waiting_for = lease.holder
                log.info("standing by", extra={"lease": self._key, "leader": waiting_for})
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._news.wait()
        return False

    def _until_free(self, lease: _Lease | None) -> float:
        """Return the seconds until `lease` may be taken; not positive when it may be now."""
        if lease is None or lease.holder in ("", self._identity):
            return 0.0
        # The clocks of the others do not matter: what counts is since when we saw no change.
        return self._moved_at + lease.duration - asyncio.get_running_loop().time()

    async def _take(self, lease: _Lease | None) -> bool:
        try:
            if lease is None:
                await self._create()
            else:
                change = 0 if lease.holder == self._identity else 1
                await self._write(
                    lease, acquireTime=_now(), leaseTransitions=lease.transitions + change
                )
        except (Conflict, NotFound):
            with suppress(*FAILURES):
                await self._read()  # someone was faster, or our watch is behind
        except FAILURES as error:
            log.warning("lease not acquired", extra={"lease": self._key, "reason": str(error)})
        else:
            return True
        return False

    async def _hold(self) -> str:
        """Renew the lease until that fails for good; return why."""
        loop, pace = asyncio.get_running_loop(), self._pace
        renewed = loop.time()
        while True:
            await asyncio.sleep(pace.retry)
            began = loop.time()
            left = renewed + pace.deadline - began
            if left <= 0:
                return f"not renewed for {began - renewed:.0f} s"
            try:
                async with asyncio.timeout(left):
                    holder = await self._renew()
            except TimeoutError:
                return f"no answer within {pace.deadline:g} s of the last renewal"
            except FAILURES as error:
                log.warning("lease not renewed", extra={"lease": self._key, "reason": str(error)})
                continue
            if holder != self._identity:
                return f"held by {holder or 'nobody'}"
            renewed = began

    async def _renew(self) -> str:
        """Write a sign of life onto the lease; return who holds it after that."""
        lease = self._leases.get(self._key)
        try:
            if lease is None:
                await self._create()
            elif lease.holder != self._identity:
                return lease.holder
            else:
                await self._write(lease)
        except (Conflict, NotFound):
            lease = await self._read()
            if lease is not None and lease.holder == self._identity:
                await self._write(lease)
            return lease.holder if lease else self._identity
        return self._identity

    async def _release(self) -> None:
        """Let a standby take over at once instead of after the lease's duration."""
        lease = self._leases.get(self._key)
        if lease is None or lease.holder != self._identity:
            return
        try:
            await self._write(lease, holderIdentity="", leaseDurationSeconds=1)
        except FAILURES as error:
            log.warning("lease not released", extra={"lease": self._key, "reason": str(error)})
        else:
            log.info("lease released", extra={"lease": self._key})

    async def _create(self) -> None:
        spec = {**self._claim(), "acquireTime": _now(), "leaseTransitions": 0}
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name},
            "spec": spec,
        }
        path = LEASES.path(self.namespace)
        self._learn(await self._client.create(path, msgspec.json.encode(body)))

    async def _write(self, lease: _Lease, **spec: object) -> None:
        body = {
            "metadata": {"resourceVersion": str(lease.revision)},
            "spec": {**self._claim(), **spec},
        }
        path = LEASES.path(self.namespace, self.name)
        self._learn(await self._client.patch(path, msgspec.json.encode(body)))

    async def _read(self) -> _Lease | None:
        try:
            answer = await self._client.get(LEASES.path(self.namespace, self.name))
        except NotFound:
            if (known := self._leases.get(self._key)) is not None:
                self._leases.forget(known)
            return None
        return self._learn(answer)

    def _claim(self) -> dict[str, object]:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": round(self._pace.duration),
            "renewTime": _now(),
        }

    def _learn(self, answer: bytes) -> _Lease:
        lease = _view(self._decoder.object.decode(answer))
        known = self._leases.get(self._key)
        if known is None or known.revision != lease.revision:
            self._leases.learn(lease, self.namespace)
            self._moved()
        return lease

    def _moved(self) -> None:
        self._moved_at = asyncio.get_running_loop().time()
        self._news.set()


def _now() -> str:
    """Return the wall clock as metav1.MicroTime: for people, no decision is made on it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
