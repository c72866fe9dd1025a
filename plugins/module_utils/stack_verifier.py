"""Look at a running stack, and once at how it heals.

Invariant: looking writes nothing. Only ``replace_a_pod`` deletes one pod, by its uid, and returns
when the operator has replaced it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ansible.module_utils import etcd_value, kube_evidence, stack_checks
from ansible.module_utils.etcd_question import Question, Range
from ansible.module_utils.etcd_reader import EtcdReader
from ansible.module_utils.kube_client import JsonObject, JsonObjects, KubeClient

OPERATOR = "imoocpod-operator"
PAUSE = 0.2  # seconds between two looks


class VerifyFailed(Exception):
    """The stack is not as it should be; the message says how, with evidence."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What is expected, and where it is."""

    operator_namespace: str
    operator_image: str
    namespace: str
    name: str
    pod_image: str

    @property
    def etcd_key(self) -> str:
        """The key under which the API server stores the custom resource."""
        return f"/registry/k8s.imooc.com/imoocpods/{self.namespace}/{self.name}"


class Verifier:
    """Verifies one stack over one client; ``timeout`` seconds are left for it to settle."""

    def __init__(
        self, client: KubeClient, reader: EtcdReader, stack: Stack, timeout: float
    ) -> None:
        self._client = client
        self._reader = reader
        self._stack = stack
        self._timeout = timeout

    def look(self) -> dict[str, str]:
        """Return the promises that hold, each with what shows it. Errors: VerifyFailed."""
        return {
            "operator runs the pushed image": self._settled(self._operator),
            "pods are as the resource says": self._settled(self._pods),
            "etcd holds what the API shows": self._settled(self._etcd),
        }

    def replace_a_pod(self) -> str:
        """Delete one pod and return how fast it was replaced; "" where there is none to delete."""
        pods = self._own_pods(self._resource())
        if not pods:
            return ""
        victim = pods[0]
        began = time.monotonic()
        self._client.delete(victim)

        def replaced() -> tuple[list[str], str]:
            findings, shown = self._pods()
            left = {pod["metadata"]["uid"] for pod in self._own_pods(self._resource())}
            if victim["metadata"]["uid"] in left:
                findings.append(f"pod {victim['metadata']['name']} is still there")
            return findings, shown

        self._settled(replaced)
        return f"{victim['metadata']['name']} replaced in {time.monotonic() - began:.1f} s"

    def identity(self) -> dict[str, str]:
        """Return what a proof of healing is about: this cluster, operator and resource."""
        cluster = self._client.get("/api/v1/namespaces/kube-system") or {}
        resource = self._resource()
        return {
            "cluster": cluster["metadata"]["uid"],
            "operator_image": self._stack.operator_image,
            "resource": resource["metadata"]["uid"],
        }

    def _settled(self, check: Callable[[], tuple[list[str], str]]) -> str:
        """Return what shows that a promise holds, as soon as it does."""
        deadline = time.monotonic() + self._timeout
        while True:
            findings, shown = check()
            if not findings:
                return shown
            if time.monotonic() >= deadline:
                raise VerifyFailed("; ".join(findings) + "\n" + self._evidence())
            time.sleep(PAUSE)

    def _operator(self) -> tuple[list[str], str]:
        pods = kube_evidence.pods_of(self._client, self._deployment())
        return stack_checks.image_findings(pods, self._stack.operator_image), (
            f"{_counted(pods)}, {self._stack.operator_image}"
        )

    def _pods(self) -> tuple[list[str], str]:
        resource = self._resource()
        pods = self._own_pods(resource)
        image = resource["spec"].get("image") or self._stack.pod_image
        findings = stack_checks.pod_findings(resource, pods)
        if pods:
            findings += stack_checks.image_findings(pods, image)
        return findings, f"{_counted(pods)} ready, {image}"

    def _etcd(self) -> tuple[list[str], str]:
        key = self._stack.etcd_key
        with self._reader.read(Question((Range.key(key),))) as answer:
            entries = list(answer)
        if not entries:
            return [f"etcd has no key {key}"], ""
        decoded = etcd_value.decode(key, entries[0].raw)
        revision = entries[0].mod_revision
        findings = stack_checks.etcd_findings(self._resource(), decoded.value, revision)
        return findings, f"{key} at revision {revision}"

    def _own_pods(self, resource: JsonObject) -> JsonObjects:
        path = self._client.collection("v1", "Pod", self._stack.namespace)
        return stack_checks.own_pods(resource, self._client.list(path))

    def _resource(self) -> JsonObject:
        stack = self._stack
        return self._found(
            "k8s.imooc.com/v1alpha1", "ImoocPod", stack.namespace, stack.name, "--tags cr"
        )

    def _deployment(self) -> JsonObject:
        namespace = self._stack.operator_namespace
        return self._found("apps/v1", "Deployment", namespace, OPERATOR, "--tags operator")

    def _found(
        self, api_version: str, kind: str, namespace: str, name: str, step: str
    ) -> JsonObject:
        metadata = {"name": name, "namespace": namespace}
        wanted = {"apiVersion": api_version, "kind": kind, "metadata": metadata}
        live = self._client.get(self._client.path_of(wanted))
        if live is None:
            raise VerifyFailed(
                f"{kind}/{namespace}/{name} is missing; run: ansible-playbook site.yml {step}"
            )
        return live

    def _evidence(self) -> str:
        """Return what a person would look at next: the resource's pods and the operator's log."""
        return "\n".join(
            kube_evidence.gather(self._client, obj)
            for obj in (self._resource(), self._deployment())
        )


def _counted(pods: JsonObjects) -> str:
    return "1 pod" if len(pods) == 1 else f"{len(pods)} pods"
