"""The memory of the stand-in API server: objects, revisions, history, and garbage collection.

Invariant: each write has a revision of its own, and the history has every version in that order.
"""

import copy
import itertools
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]


class Refusal(Exception):
    """An answer that is a Status."""

    def __init__(self, code: int, reason: str, message: str, causes: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.causes = causes
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Event:
    """One line of a watch, before filtering."""

    revision: int
    type: str
    plural: str
    object: Object


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """Objects by (plural, namespace, name)."""

    def __init__(self, now: Callable[[], str] = _now) -> None:
        self.revision = 100
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.history: list[Event] = []
        self.compacted = 0
        self.graceful = False
        """Whether deleted pods linger with a deletionTimestamp until `reap` is called."""
        self.lazy = False
        """Whether the garbage collector works only when `collect` is called."""
        self.watchers: list[Callable[[], None]] = []
        """Called after each write."""
        self._now = now
        self._uids = itertools.count(1)

    def get(self, plural: str, namespace: str, name: str) -> Object:
        try:
            return self.objects[plural, namespace, name]
        except KeyError:
            raise Refusal(404, "NotFound", f'{plural} "{name}" not found') from None

    def all(self, plural: str, namespace: str) -> list[Object]:
        return [
            self.objects[key]
            for key in sorted(self.objects)
            if key[0] == plural and namespace in ("", key[1])
        ]

    def create(self, plural: str, namespace: str, body: Object) -> Object:
        obj = copy.deepcopy(body)
        meta = obj.setdefault("metadata", {})
        key = (plural, namespace, meta["name"])
        if key in self.objects:
            raise Refusal(409, "AlreadyExists", f'{plural} "{meta["name"]}" already exists')
        meta.update(
            namespace=namespace,
            uid=str(uuid.UUID(int=next(self._uids))),
            generation=1,
            creationTimestamp=self._now(),
        )
        if plural == "pods":
            obj["status"] = {"phase": "Pending"}
        else:
            obj.pop("status", None)
        made = self._write("ADDED", plural, obj)
        if not self.lazy:
            self.collect()
        return made

    def patch(
        self, plural: str, namespace: str, name: str, body: Object, subresource: str
    ) -> Object:
        old = self._unchanged(plural, namespace, name, body)
        parts = {"status"} if subresource == "status" else set(body) - {"status"}
        changes = {part: body[part] for part in parts if part in body}
        return self._change(plural, old, _merge(copy.deepcopy(old), changes))

    def update(
        self, plural: str, namespace: str, name: str, body: Object, subresource: str
    ) -> Object:
        assert subresource == "status", "nothing else is replaced as a whole here"
        old = self._unchanged(plural, namespace, name, body)
        return self._change(plural, old, copy.deepcopy(old) | {"status": body["status"]})

    def _unchanged(self, plural: str, namespace: str, name: str, body: Object) -> Object:
        """Return the object, if it is the one and the version that `body` says, if any."""
        old = self.get(plural, namespace, name)
        wanted = body.get("metadata", {})
        for part in ("uid", "resourceVersion"):
            if part in wanted and wanted[part] != old["metadata"][part]:
                raise Refusal(409, "Conflict", "the object has been modified")
        return old

    def _change(self, plural: str, old: Object, new: Object) -> Object:
        if new == old:
            return old
        if new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] += 1
        return self._write("MODIFIED", plural, new)

    def delete(self, plural: str, namespace: str, name: str, options: Object) -> Object:
        obj = self.get(plural, namespace, name)
        uid = options.get("preconditions", {}).get("uid")
        if uid is not None and uid != obj["metadata"]["uid"]:
            raise Refusal(409, "Conflict", "the UID in the precondition does not match")
        if plural == "pods" and self.graceful and options.get("gracePeriodSeconds") != 0:
            if "deletionTimestamp" in obj["metadata"]:
                return obj
            return self._write(
                "MODIFIED", plural, _merge(obj, {"metadata": {"deletionTimestamp": self._now()}})
            )
        gone = self._drop(plural, obj)
        if plural == "imoocpods":
            if options.get("propagationPolicy") == "Orphan":
                self._release(gone)
            if not self.lazy:
                self.collect()
        return gone

    def reap(self) -> None:
        """Finish the graceful deletions, as the kubelet does."""
        for (plural, _, _), obj in list(self.objects.items()):
            if "deletionTimestamp" in obj["metadata"]:
                self._drop(plural, obj)

    def since(self, plural: str, namespace: str, revision: int) -> list[Event]:
        """Return what a watch from `revision` has to bring."""
        if revision < self.compacted:
            raise Refusal(410, "Expired", f"too old resource version: {revision}")
        return [
            event
            for event in self.history
            if event.revision > revision
            and event.plural == plural
            and namespace in ("", event.object["metadata"]["namespace"])
        ]

    def compact(self) -> None:
        """Forget the history, as etcd does every five minutes."""
        self.compacted = self.revision
        self.history.clear()

    def collect(self) -> None:
        """Do the garbage collector's part: pods whose owners are all gone go, too."""
        for pod in self.all("pods", ""):
            if self._owner_is_gone(pod):
                self._drop("pods", pod)

    def _release(self, owner: Object) -> None:
        for pod in self.all("pods", owner["metadata"]["namespace"]):
            references = pod["metadata"].get("ownerReferences", [])
            rest = [r for r in references if r["uid"] != owner["metadata"]["uid"]]
            if rest != references:
                self._write(
                    "MODIFIED", "pods", _merge(pod, {"metadata": {"ownerReferences": rest}})
                )

    def _owner_is_gone(self, pod: Object) -> bool:
        uids = {cr["metadata"]["uid"] for cr in self.all("imoocpods", "")}
        owners = pod["metadata"].get("ownerReferences", ())
        ours = {r["uid"] for r in owners if r["kind"] == "ImoocPod"}
        return bool(ours) and len(ours) == len(owners) and not uids & ours

    def _write(self, kind: str, plural: str, obj: Object) -> Object:
        obj = copy.deepcopy(obj)
        self.revision += 1
        meta = obj["metadata"]
        meta["resourceVersion"] = str(self.revision)
        self.objects[plural, meta["namespace"], meta["name"]] = obj
        self.history.append(Event(self.revision, kind, plural, obj))
        for told in self.watchers:
            told()
        return obj

    def _drop(self, plural: str, obj: Object) -> Object:
        gone = self._write("DELETED", plural, obj)
        del self.objects[plural, obj["metadata"]["namespace"], obj["metadata"]["name"]]
        return gone


def _merge(target: Any, patch: Any) -> Any:
    """Return `target` after a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value)
    return result
