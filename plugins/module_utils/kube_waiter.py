"""Wait until objects are ready, served, or gone: with a deadline, and with evidence when it passes.

Invariant: a wait ends in the awaited state or in a WaitFailed that says what was seen instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from ansible.module_utils import kube_evidence, kube_wait
from ansible.module_utils.kube_client import JsonObject, KindNotServed, KubeClient

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 0.5  # seconds between two looks
STUCK_GRACE = 10.0  # seconds that a trouble must last: a registry may just be starting


class WaitFailed(Exception):
    """The awaited state was not reached; the message carries the evidence."""


def label(obj: JsonObject) -> str:
    """Return how messages name an object: Kind/namespace/name, or Kind/name."""
    metadata = obj["metadata"]
    return "/".join(filter(None, [obj["kind"], metadata.get("namespace"), metadata["name"]]))


class Waiter:
    """Waits on one client; ``timeout`` seconds hold for each wait."""

    def __init__(self, client: KubeClient, timeout: float, report: Callable[[str], None]) -> None:
        self._client = client
        self._timeout = timeout
        self._report = report

    def ready(self, live: JsonObject) -> JsonObject:
        """Return the object once it is ready by its kind's rule; ``live`` is its newest state."""
        path = self._client.path_of(live)
        trouble_since: float | None = None
        told = ""
        for now, last in self._looks():
            verdict = kube_wait.judge(live)
            if verdict.ready:
                return live
            if verdict.message != told:
                told = verdict.message
                self._report(f"{label(live)}: {told}")
            trouble = verdict.trouble or kube_wait.stuck_pods(
                kube_evidence.pods_of(self._client, live)
            )
            trouble_since = (trouble_since or now) if trouble else None
            if trouble_since is not None and now - trouble_since > STUCK_GRACE:
                raise self._failed(live, f"will not become ready: {trouble}")
            if last:
                raise self._failed(live, f"not ready after {self._timeout:g} s: {verdict.message}")
            newest = self._client.get(path)
            if newest is None:
                raise WaitFailed(f"{label(live)} was deleted by somebody else meanwhile")
            live = newest
        raise AssertionError("a wait always has a last look")

    def served(self, definition: JsonObject) -> None:
        """Return once every served version of a CustomResourceDefinition is found by discovery."""
        spec = definition["spec"]
        for version in spec["versions"]:
            if not version.get("served"):
                continue
            for _, last in self._looks():
                try:
                    self._client.collection(
                        f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                    )
                    break
                except KindNotServed as error:
                    if last:
                        raise WaitFailed(
                            f"{label(definition)}: Established, but {error}"
                        ) from error

    def gone(self, live: JsonObject) -> None:
        """Return once this very object is no more; another of the same name does not count."""
        path, uid = self._client.path_of(live), live["metadata"]["uid"]
        for _, last in self._looks():
            newest = self._client.get(path)
            if newest is None or newest["metadata"]["uid"] != uid:
                return
            self._report(f"{label(live)}: being deleted")
            if last:
                held = ", ".join(newest["metadata"].get("finalizers") or []) or "none"
                raise self._failed(
                    newest, f"not gone after {self._timeout:g} s; finalizers: {held}"
                )

    def _looks(self) -> Iterator[tuple[float, bool]]:
        """Yield the time of each look, and whether it is the last one; pauses grow in between."""
        deadline, pause = time.monotonic() + self._timeout, FIRST_PAUSE
        while (now := time.monotonic()) < deadline:
            yield now, False
            time.sleep(min(pause, max(deadline - time.monotonic(), 0)))
            pause = min(pause * 1.3, LONGEST_PAUSE)
        yield now, True

    def _failed(self, live: JsonObject, what: str) -> WaitFailed:
        return WaitFailed(f"{label(live)}: {what}\n{kube_evidence.gather(self._client, live)}")
