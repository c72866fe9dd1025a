"""Read keys of a cluster's etcd, by etcdctl inside the etcd pod, through the API server.

So it works wherever the kubeconfig leads, and with the certificates that etcd itself uses.
Invariant: only reads, in one transaction and one exec, so all belong to one revision.
"""

from __future__ import annotations

import io
import os
import select
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.etcd_answer import Answer
from ansible.module_utils.etcd_question import EtcdError, Question
from ansible.module_utils.kube_client import JsonObject, KubeClient

NAMESPACE = "kube-system"
SELECTOR = "component=etcd,tier=control-plane"  # how kubeadm labels its static pods
BUFFER = 1 << 20  # bytes

CERTIFICATES = {  # etcd's own flags, and etcdctl's for the same files
    "--trusted-ca-file": "--cacert",
    "--cert-file": "--cert",
    "--key-file": "--key",
}

# What to do about some words of kubectl's and etcdctl's.
CURES = {
    "has been compacted": "the API server lets go of what is older than five minutes; "
    "ask for a later revision, or for none",
    "future revision": "etcd has not come so far; ask for an earlier revision, or for none",
    "executable file not found": "the etcd image has no etcdctl; run an image of etcd that has, "
    "as those of kubeadm do",
    "too large": "it is more than etcd sends at once; ask for less with a limit",
    "exceeded": "etcd does not answer; look at: kubectl -n kube-system logs -l component=etcd",
}


@dataclass(frozen=True, slots=True)
class EtcdReader:
    """Reads through ``client``'s cluster; kubectl is told the same kubeconfig and context.

    ``patience`` is for how many seconds nothing may come.
    """

    client: KubeClient
    kubectl: str
    kubeconfig: str
    context: str | None
    patience: float = 30

    @contextmanager
    def read(self, question: Question) -> Iterator[Answer]:
        """Give the answer while it comes; it must be read to its end. Errors: EtcdError, KubeError.

        When the context is left without an error, the answer was whole.
        """
        stdin = question.transaction()
        pod = self._pod()
        if not Path(self.kubectl).is_file():
            raise EtcdError(
                f"no kubectl at {self.kubectl}; run: ansible-playbook site.yml --tags images"
            )
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                self._command(pod), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
            try:
                answer = self._answer(process, stdin)
                yield answer
                if not (code := process.wait(self.patience)) and not answer.revision:
                    raise EtcdError(f"etcdctl in {_name(pod)} gave no answer")
            except EtcdError as error:  # an answer that is cut short has a reason
                if process.wait(self.patience):
                    raise _failed(pod, errors) from error
                raise
            except (TimeoutError, subprocess.TimeoutExpired):
                raise EtcdError(
                    f"etcdctl in {_name(pod)} did not answer within {self.patience:g} s; "
                    "look at: kubectl -n kube-system logs -l component=etcd"
                ) from None
            finally:
                process.kill()
                process.wait()
                for pipe in filter(None, (process.stdin, process.stdout)):
                    pipe.close()
            if code:
                raise _failed(pod, errors)

    def _answer(self, process: subprocess.Popen[bytes], stdin: str) -> Answer:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both were asked for")
        try:
            process.stdin.write(stdin.encode())
            process.stdin.close()
        except BrokenPipeError:  # it ended already, and what it said will be told
            raise EtcdError("etcdctl did not listen") from None
        return Answer(io.BufferedReader(_Patient(process.stdout.fileno(), self.patience), BUFFER))

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

    def _command(self, pod: JsonObject) -> list[str]:
        context = ["--context", self.context] if self.context else []
        command = [self.kubectl, "--kubeconfig", self.kubeconfig, *context]
        command += ["--namespace", NAMESPACE, "exec", "--stdin", _name(pod)]
        return [*command, "--container", "etcd", "--", *etcdctl(pod)]


class _Patient(io.RawIOBase):
    """A pipe on which nothing may come for so many seconds, and no longer."""

    def __init__(self, descriptor: int, patience: float) -> None:
        self._descriptor = descriptor
        self._patience = patience

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not select.select([self._descriptor], [], [], self._patience)[0]:
            raise TimeoutError
        return os.readv(self._descriptor, [buffer])


def _name(pod: JsonObject) -> str:
    return str(pod["metadata"]["name"])


def _failed(pod: JsonObject, errors: Any) -> EtcdError:
    """Return what kubectl and etcdctl said, and what to do; stdout, which may hold values, not."""
    errors.seek(0)
    told = errors.read().decode(errors="replace").strip()
    cure = next((cure for words, cure in CURES.items() if words in told), "")
    return EtcdError(f"etcdctl in {_name(pod)} failed: {told}" + (f"\n{cure}" if cure else ""))


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
    return ["etcdctl", f"--endpoints={endpoint}", *files, "txn", "--write-out=protobuf"]
