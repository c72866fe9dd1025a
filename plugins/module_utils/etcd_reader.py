"""Read keys of a cluster's etcd, by etcdctl inside the etcd pod, through the API server.

So it works wherever the kubeconfig leads, and with the certificates that etcd itself uses.
Invariant: only reads. All prefixes are read in one transaction, so they belong to one revision.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.kube_client import JsonObject, KubeClient

NAMESPACE = "kube-system"
SELECTOR = "component=etcd,tier=control-plane"  # how kubeadm labels its static pods
PREFIX = re.compile(r"/[^\s\"'\\`]*")
TIMEOUT = 30  # seconds

CERTIFICATES = {  # etcd's own flags, and etcdctl's for the same files
    "--trusted-ca-file": "--cacert",
    "--cert-file": "--cert",
    "--key-file": "--key",
}


class EtcdError(Exception):
    """etcd cannot be read; the message says what was tried, and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key as etcd holds it; ``raw`` is empty where only keys were asked for."""

    key: str
    create_revision: int
    mod_revision: int
    version: int
    lease: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found under the prefixes at ``revision``; ``total`` counts what a limit left out."""

    pod: str
    revision: int
    total: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class EtcdReader:
    """Reads through ``client``'s cluster; kubectl is told the same kubeconfig and context."""

    client: KubeClient
    kubectl: str
    kubeconfig: str
    context: str | None
    timeout: int = TIMEOUT

    def read(self, prefixes: list[str], limit: int = 0, keys_only: bool = False) -> Reading:
        """Return up to ``limit`` keys (0: all) below each prefix. Errors: EtcdError, KubeError."""
        pod = self._pod()
        output = self._etcdctl(pod, transaction(prefixes, limit, keys_only))
        return parse(pod["metadata"]["name"], output)

    def _pod(self) -> JsonObject:
        """Return a running etcd pod; any member of the cluster answers for all."""
        path = f"/api/v1/namespaces/{NAMESPACE}/pods"
        pods = self.client.list(path, labelSelector=SELECTOR)
        for pod in pods:
            if (pod.get("status") or {}).get("phase") == "Running":
                return pod
        raise EtcdError(
            f"no etcd pod runs in {NAMESPACE} (label {SELECTOR}, {len(pods)} found): this cluster "
            "keeps its etcd elsewhere, or it is not up; look at: kubectl -n kube-system get pods"
        )

    def _etcdctl(self, pod: JsonObject, stdin: str) -> bytes:
        if not Path(self.kubectl).is_file():
            raise EtcdError(
                f"no kubectl at {self.kubectl}; run: ansible-playbook site.yml --tags images"
            )
        context = ["--context", self.context] if self.context else []
        command = [self.kubectl, "--kubeconfig", self.kubeconfig, *context]
        seconds = self.timeout
        command += [f"--request-timeout={seconds}s", "--namespace", NAMESPACE, "exec", "--stdin"]
        command += [pod["metadata"]["name"], "--container", "etcd", "--", *etcdctl(pod)]
        try:
            done = subprocess.run(
                command, input=stdin.encode(), capture_output=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            raise EtcdError(f"etcdctl did not answer within {seconds} s: {command}") from None
        if done.returncode:  # stdout may hold values, so only stderr is told
            told = done.stderr.decode(errors="replace").strip()
            raise EtcdError(f"etcdctl in {pod['metadata']['name']} failed: {told}")
        return done.stdout


def etcdctl(pod: JsonObject) -> list[str]:
    """Return etcdctl's command line for a transaction, with addresses and files of the etcd pod."""
    (container,) = [row for row in pod["spec"]["containers"] if row["name"] == "etcd"]
    flags = dict(
        word.split("=", 1)
        for word in [*container.get("command", []), *container.get("args", [])]
        if word.startswith("--") and "=" in word
    )
    endpoint = flags.get("--listen-client-urls", "https://127.0.0.1:2379").split(",")[0]
    files = [f"{ours}={flags[theirs]}" for theirs, ours in CERTIFICATES.items() if theirs in flags]
    return ["etcdctl", f"--endpoints={endpoint}", *files, "txn", "--write-out=json"]


def transaction(prefixes: list[str], limit: int, keys_only: bool) -> str:
    """Return a transaction of reads in etcdctl's language: no compares, gets, no alternative."""
    for prefix in prefixes:
        if not PREFIX.fullmatch(prefix):
            raise EtcdError(
                f"not a prefix of keys: {prefix!r}; give one like /registry/pods/ without blanks, "
                "quotes and backslashes"
            )
    options = f" --limit={limit}" if limit else ""
    options += " --keys-only" if keys_only else ""
    gets = [f"get {prefix} --prefix{options}" for prefix in dict.fromkeys(prefixes)]
    return "\n".join(["", *gets, "", "", ""])


def parse(pod: str, output: bytes) -> Reading:
    """Return the answer to a transaction; a key below two of the prefixes comes once."""
    try:
        answer: dict[str, Any] = json.loads(output)
    except ValueError as error:
        raise EtcdError(f"etcdctl in {pod} gave no JSON: {error}") from error
    ranges = [row["Response"]["response_range"] for row in answer.get("responses") or []]
    entries = {entry.key: entry for part in ranges for entry in map(_entry, part.get("kvs") or [])}
    left_out = sum(part.get("count", 0) - len(part.get("kvs") or []) for part in ranges)
    return Reading(
        pod, answer["header"]["revision"], len(entries) + left_out, tuple(entries.values())
    )


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(
        key=base64.b64decode(row["key"]).decode(errors="replace"),
        create_revision=row["create_revision"],
        mod_revision=row["mod_revision"],
        version=row["version"],
        lease=row.get("lease", 0),
        raw=base64.b64decode(row.get("value", "")),
    )
