"""Bring objects of one cluster to the desired state by server-side apply, or away from it.

Invariant: nothing is written where nothing changes, and nothing is deleted that this field
manager did not apply. In check mode nothing is stored at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ansible.module_utils import kube_changes, kube_fields
from ansible.module_utils.changes import Field
from ansible.module_utils.kube_client import (
    JsonObject,
    JsonObjects,
    KindNotServed,
    KubeClient,
    KubeError,
)
from ansible.module_utils.kube_waiter import Waiter, label

Action = Literal["create", "update", "delete", "none", "foreign"]


class ApplyRefused(Exception):
    """The API server refuses an object; the message says which, why, and what can be done."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done to one object, or would be in check mode; ``live`` is its newest state."""

    obj: JsonObject
    action: Action
    before: JsonObject | None = None
    live: JsonObject | None = None
    overruled: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    reason: str = ""


def missing(obj: JsonObject) -> Outcome:
    """Return the outcome for an object that is not there."""
    return Outcome(obj, "create", reason="there is none")


class Applier:
    """Applies as one field manager over one client."""

    def __init__(self, client: KubeClient, waiter: Waiter, manager: str, check_mode: bool) -> None:
        self._client = client
        self._waiter = waiter
        self._manager = manager
        self._check_mode = check_mode

    def present(self, objects: JsonObjects, wait: bool) -> list[Outcome]:
        """Apply the objects in their order; with ``wait`` return when all of them are ready.

        A definition and a namespace are always waited for, since what follows may need them.
        """
        outcomes = []
        for obj in objects:
            outcome = self._present(obj)
            if obj["kind"] in ("CustomResourceDefinition", "Namespace"):
                outcome = self._settled(outcome)
            outcomes.append(outcome)
        return [self._settled(outcome) for outcome in outcomes] if wait else outcomes

    def absent(self, objects: JsonObjects) -> list[Outcome]:
        """Delete the objects, last first, each with what it owns, and return when they are gone."""
        return [self._absent(obj) for obj in reversed(objects)]

    def prune(self, kinds: JsonObjects, keep: JsonObjects) -> list[Outcome]:
        """Delete objects of these kinds and names, in whatever namespace, that ``keep`` lacks."""
        names = {(kind["kind"], kind["name"]) for kind in kinds}
        kept = {
            self._identity(obj) for obj in keep if (obj["kind"], obj["metadata"]["name"]) in names
        }
        outcomes = []
        for kind in kinds:
            try:
                collection = self._client.collection(kind["apiVersion"], kind["kind"])
            except KindNotServed:
                continue
            for live in self._client.list(
                collection, fieldSelector=f"metadata.name={kind['name']}"
            ):
                if self._identity(live) not in kept and self._is_ours(live):
                    outcomes.append(self._delete(live, live))
        return outcomes

    def _present(self, obj: JsonObject) -> Outcome:
        try:
            live = self._client.get(self._client.path_of(obj))
        except KindNotServed:
            if self._check_mode:  # its definition would be there by now
                return missing(obj)
            raise
        if live and live["metadata"].get("deletionTimestamp"):
            if not self._check_mode:
                self._waiter.gone(live)
            live = None
        try:
            return self._update(obj, live) if live else self._create(obj)
        except KubeError as error:
            raise ApplyRefused(f"{label(obj)} is refused: {error}\n{_advice(error)}") from error

    def _create(self, obj: JsonObject) -> Outcome:
        try:
            live = self._client.apply(obj, self._manager, dry_run=self._check_mode)
        except KubeError as error:
            if self._check_mode and error.status == 404:  # its namespace would be there by now
                return missing(obj)
            raise
        return replace(missing(obj), live=live)

    def _update(self, obj: JsonObject, live: JsonObject) -> Outcome:
        """Apply where a dry run shows that something would change."""
        if kube_fields.is_converged(obj, live, self._manager):
            return Outcome(obj, "none", live, live)
        planned = self._client.apply(obj, self._manager, dry_run=True)
        if not kube_fields.differs(live, planned):
            return Outcome(obj, "none", live, live)
        fields = kube_changes.between(live, planned)
        reason = "" if fields else "the values are as wanted, but owned by others too"
        fields = fields or kube_changes.taken(obj, live, self._manager)
        overruled = self._conflicts(obj)
        if not self._check_mode:
            planned = self._client.apply(obj, self._manager)
        return Outcome(obj, "update", live, planned, overruled, fields, reason)

    def _conflicts(self, obj: JsonObject) -> tuple[str, ...]:
        """Return the fields that other managers set to other values, with their managers' names."""
        try:
            self._client.apply(obj, self._manager, force=False, dry_run=True)
        except KubeError as error:
            if error.status != 409:
                raise
            return tuple(f"{cause['field']}: {cause['message']}" for cause in error.causes)
        return ()

    def _settled(self, outcome: Outcome) -> Outcome:
        """Return the outcome with the object as it is once ready; a plan has nothing to await."""
        if self._check_mode or outcome.live is None:
            return outcome
        live = self._waiter.ready(outcome.live)
        if live["kind"] == "CustomResourceDefinition":
            self._waiter.served(live)
        return replace(outcome, live=live)

    def _absent(self, obj: JsonObject) -> Outcome:
        try:
            live = self._client.get(self._client.path_of(obj))
        except KindNotServed:
            live = None
        if live is None:
            return Outcome(obj, "none")
        if not self._is_ours(live):
            return Outcome(obj, "foreign", live, live)
        return self._delete(obj, live)

    def _delete(self, obj: JsonObject, live: JsonObject) -> Outcome:
        if not self._check_mode:
            self._client.delete(live, propagation="Foreground")
            self._waiter.gone(live)
        return Outcome(obj, "delete", live, reason="no longer wanted")

    def _is_ours(self, live: JsonObject) -> bool:
        return kube_fields.applied_entry(live, self._manager) is not None

    def _identity(self, obj: JsonObject) -> tuple[str, str, str, str]:
        """Return what makes two manifests mean the same object, whatever version they speak."""
        metadata = obj["metadata"]
        namespace = ""
        if self._client.is_namespaced(obj["apiVersion"], obj["kind"]):
            namespace = metadata.get("namespace") or self._client.namespace
        group = obj["apiVersion"].rpartition("/")[0]
        return group, obj["kind"], namespace, metadata["name"]


def _advice(error: KubeError) -> str:
    """Return what a person can do about a refusal, by its status."""
    match error.status:
        case 404:
            return "Its namespace does not exist: create it, or list it among the objects before."
        case 401 | 403:
            return "The kubeconfig's user may not do this: check its context and its rights."
        case 422:
            return (
                "Nothing was changed. Correct the field; one that is immutable needs the object "
                "removed first (state: absent), which is never done silently."
            )
    return "Nothing was changed."
