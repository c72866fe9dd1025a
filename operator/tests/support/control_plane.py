"""A real etcd and kube-apiserver as processes of the test, without nodes.

Nothing runs pods, so they stay Pending and a delete is at once; all else is the real thing:
storage, watch cache, admission, RBAC, audit. The controller manager brings garbage collection.
"""

import http.client
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

DEPLOY = Path(__file__).parents[2] / "deploy"

READY = 60.0
"""Seconds the API server gets to be ready; it takes five on a quiet machine."""

CONTROLLERS = "garbage-collector-controller,namespace-controller"

_AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}


class Refused(Exception):
    """The API server did not do what the administrator asked."""


@dataclass
class ControlPlane:
    """The processes and how to reach them; `folder` holds their files and logs.

    `controllers` names those of the controller manager, which does not run at all without;
    `flags` are further ones of the API server.
    """

    programs: Path
    folder: Path
    controllers: str = CONTROLLERS
    flags: Sequence[str] = ()
    port: int = 0
    etcd_url: str = ""
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    starts: list[tuple[str, str]] = field(default_factory=list)
    """From when until when the API server was not ready, in the audit log's form.

    Until it has read the Roles it denies what they grant; a load balancer would not ask it yet.
    """
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"

    @property
    def certificate(self) -> Path:
        """The API server's own certificate, which is its authority too."""
        return self.folder / "certs" / "apiserver.crt"

    def start(self) -> None:
        """Start everything and wait until it serves."""
        etcd, peer, self.port = _free_ports(3)
        self.etcd_url = f"http://127.0.0.1:{etcd}"
        self._peer_url = f"http://127.0.0.1:{peer}"
        self._start_etcd()
        _write_key(self.folder / "sa.key")
        (self.folder / "tokens.csv").write_text(f"{self.token},admin,admin,system:masters\n")
        (self.folder / "audit.yaml").write_text(json.dumps(_AUDIT))
        self.start_api_server()
        self.kubeconfig(self.folder / "admin.kubeconfig", self.token)
        self._start_controller_manager()

    def start_api_server(self) -> None:
        """Start the API server, again perhaps, and wait until it is ready."""
        folder = self.folder
        began = _now()
        self._start(
            "kube-apiserver",
            "--etcd-servers", self.etcd_url,
            "--bind-address", "127.0.0.1",
            "--secure-port", str(self.port),
            "--cert-dir", str(folder / "certs"),
            "--service-cluster-ip-range", "10.96.0.0/24",
            "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-account-key-file", str(folder / "sa.key"),
            "--service-account-signing-key-file", str(folder / "sa.key"),
            "--token-auth-file", str(folder / "tokens.csv"),
            "--authorization-mode", "RBAC",
            # No controller makes the service accounts that this plugin wants for every pod.
            "--disable-admission-plugins", "ServiceAccount",
            "--audit-policy-file", str(folder / "audit.yaml"),
            "--audit-log-path", str(self.audit_log),
            "--endpoint-reconciler-type", "none",
            *self.flags,
        )  # fmt: skip
        deadline = time.monotonic() + READY
        while not self._is_ready():
            if time.monotonic() > deadline or self._processes["kube-apiserver"].poll() is not None:
                raise AssertionError(f"the API server is not ready:\n{self._tail()}")
            time.sleep(0.05)
        self.starts.append((began, _now()))

    def kill_api_server(self) -> None:
        """End the API server as a power cut does."""
        self._kill("kube-apiserver")

    def back_up(self) -> Path:
        """Return a copy of etcd's data as it is now; everything stands still meanwhile."""
        copy = self.folder / "backup"
        self.stop()
        shutil.copytree(self.folder / "etcd", copy)
        self._start_again()
        return copy

    def restore(self, backup: Path) -> None:
        """Put etcd back to `backup`: revisions that were given out are given out again."""
        self.stop()
        shutil.rmtree(self.folder / "etcd")
        shutil.copytree(backup, self.folder / "etcd")
        self._start_again()

    def stop(self) -> None:
        """End everything this started."""
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            self._kill(name)

    def pid(self, name: str) -> int:
        """Return the process id of one of the programs."""
        return self._processes[name].pid

    def kubeconfig(
        self, path: Path, token: str, server: str = "", namespace: str = "default"
    ) -> Path:
        """Write a kubeconfig for `token`, at `server` or else directly; return its path."""
        cluster = {"server": server or self.url, "certificate-authority": str(self.certificate)}
        context = {"cluster": "it", "user": "it", "namespace": namespace}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": {"token": token}}],
            "contexts": [{"name": "it", "context": context}],
        }
        path.write_text(json.dumps(content))
        return path

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask the API server something as the administrator."""
        decoded: dict[str, Any] = json.loads(self._ask(method, path, body))
        return decoded

    def apply(self, manifest: Mapping[str, Any]) -> None:
        """Create the object of a manifest."""
        meta, kind = manifest["metadata"], str(manifest["kind"]).lower()
        group = manifest["apiVersion"]
        root = f"/apis/{group}" if "/" in group else f"/api/{group}"
        scope = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
        self.call("POST", f"{root}{scope}/{kind}s", manifest)

    def _ask(self, method: str, path: str, body: object = None) -> bytes:
        context = ssl.create_default_context(cafile=str(self.certificate))
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=context, timeout=10
        )
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        with closing(connection):
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            text = answer.read()
        if answer.status >= 300:
            raise Refused(f"{method} {path}: {answer.status} {text[:500].decode()}")
        return text

    def _start_again(self) -> None:
        self._start_etcd()
        self.start_api_server()
        self._start_controller_manager()

    def _start_etcd(self) -> None:
        self._start(
            "etcd",
            "--data-dir", str(self.folder / "etcd"),
            "--listen-client-urls", self.etcd_url,
            "--advertise-client-urls", self.etcd_url,
            "--listen-peer-urls", self._peer_url,
            "--unsafe-no-fsync",
        )  # fmt: skip

    def _start_controller_manager(self) -> None:
        if not self.controllers:
            return
        self._start(
            "kube-controller-manager",
            "--kubeconfig", str(self.folder / "admin.kubeconfig"),
            "--controllers", self.controllers,
            "--leader-elect=false",
            "--secure-port", "0",
            "--kube-api-qps", "200",
            "--kube-api-burst", "400",
        )  # fmt: skip

    def _kill(self, name: str) -> None:
        if (process := self._processes.pop(name, None)) is not None:
            process.kill()
            process.wait()

    def _is_ready(self) -> bool:
        try:
            self._ask("GET", "/readyz")
        except (OSError, http.client.HTTPException, Refused):
            return False
        return True

    def _start(self, name: str, *arguments: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            self._processes[name] = subprocess.Popen(
                [self.programs / name, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Out of reach of the terminal's Ctrl-C: who started them ends them.
                start_new_session=True,
            )

    def _tail(self) -> str:
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in logs)


@contextmanager
def control_plane(
    programs: Path, folder: Path, controllers: str = CONTROLLERS, flags: Sequence[str] = ()
) -> Iterator[ControlPlane]:
    """Run a control plane that knows ImoocPods while the context is entered."""
    plane = ControlPlane(programs, folder, controllers, flags)
    try:
        plane.start()
        for manifest in manifests("crds/k8s.imooc.com_imoocpods_crd.yaml"):
            plane.apply(manifest)
        _wait_for_kind(plane)
        yield plane
    finally:
        plane.stop()


def manifests(name: str) -> Sequence[dict[str, Any]]:
    """Return the objects of a file in deploy/."""
    return [d for d in yaml.safe_load_all((DEPLOY / name).read_text()) if d]


def _wait_for_kind(plane: ControlPlane) -> None:
    deadline = time.monotonic() + READY
    while True:
        try:
            plane.call("GET", "/apis/k8s.imooc.com/v1alpha1/imoocpods")
            return
        except Refused:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now; all are held until the last is known."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _write_key(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
        file.write(pem)
