"""Read from a kubeconfig file how to reach one cluster, and as whom.

Invariant: nothing is guessed. A file, context, cluster or user that is missing is an error that
names it; credentials are read, never written, and never part of a message.
"""

from __future__ import annotations

import base64
import contextlib
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class KubeConfigError(Exception):
    """The kubeconfig cannot be used; the message says which part of it and why."""


class KubeConfigMissing(KubeConfigError):
    """There is no kubeconfig file: no cluster was made yet, or it was removed."""


@dataclass(frozen=True, slots=True)
class Target:
    """One cluster as one user: all that a connection needs."""

    server: str
    tls: ssl.SSLContext | None  # None: plain HTTP
    headers: dict[str, str]
    namespace: str


def load(path: str, context: str | None = None) -> Target:
    """Return the target that ``context`` of the file names; None takes its current context."""
    file = Path(path).expanduser()
    try:
        document = yaml.load(file.read_text(), Loader=_yaml_loader())  # noqa: S506  # both are safe loaders
    except FileNotFoundError:
        raise KubeConfigMissing(f"there is no kubeconfig file {path}") from None
    except (OSError, yaml.YAMLError) as error:
        raise KubeConfigError(f"the kubeconfig {path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise KubeConfigError(f"the kubeconfig {path} is empty or not a mapping")
    name = context or document.get("current-context")
    if not name:
        raise KubeConfigError(f"the kubeconfig {path} has no current-context: name a context")
    chosen = _named(document, "contexts", name, "context", path)
    cluster = _named(document, "clusters", chosen.get("cluster"), "cluster", path)
    user = _named(document, "users", chosen.get("user"), "user", path) if "user" in chosen else {}
    if "proxy-url" in cluster or "tls-server-name" in cluster:
        raise KubeConfigError(
            f"cluster {chosen['cluster']} of {path} uses proxy-url or tls-server-name, "
            "which this client does not support"
        )
    server = str(cluster.get("server", ""))
    if not server.startswith(("https://", "http://")):
        raise KubeConfigError(f"cluster {chosen['cluster']} of {path} has no server URL")
    namespace = chosen.get("namespace") or "default"
    if "exec" in user or "auth-provider" in user:
        return _by_plugin(path, name, server, namespace)
    tls = _tls(cluster, user, file.parent) if server.startswith("https://") else None
    return Target(server.rstrip("/"), tls, _headers(user, file.parent), namespace)


def _yaml_loader() -> Any:
    """Return PyYAML's C loader where it is built in: it reads a kubeconfig ten times faster."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _named(
    document: dict[str, Any], section: str, name: Any, key: str, path: str
) -> dict[str, Any]:
    for entry in document.get(section) or []:
        if entry.get("name") == name:
            value = entry.get(key) or {}
            if isinstance(value, dict):
                return value
    known = ", ".join(str(entry.get("name")) for entry in document.get(section) or []) or "none"
    raise KubeConfigError(f"the kubeconfig {path} has no {key} named {name} (it has: {known})")


def _tls(cluster: dict[str, Any], user: dict[str, Any], base: Path) -> ssl.SSLContext:
    """Return a context that trusts the cluster's authority and shows the user's certificate."""
    try:
        context = ssl.create_default_context(cadata=_authority(cluster, base))
        if cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        with (
            _as_file(user, "client-certificate", base) as certificate,
            _as_file(user, "client-key", base) as key,
        ):
            if certificate:
                context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise KubeConfigError(
            f"the certificates of the kubeconfig cannot be used: {error}"
        ) from error
    return context


def _authority(cluster: dict[str, Any], base: Path) -> str | None:
    """Return the cluster's certificate authority as PEM; None leaves it to the system's."""
    if data := cluster.get("certificate-authority-data"):
        return base64.b64decode(str(data)).decode()
    if file := cluster.get("certificate-authority"):
        return (base / str(file)).read_text()
    return None


@contextlib.contextmanager
def _as_file(user: dict[str, Any], field: str, base: Path) -> Iterator[str | None]:
    """Yield the path of ``field``; inline data goes to a private file that is gone afterwards.

    Needed because ssl.SSLContext.load_cert_chain reads files only.
    """
    if data := user.get(f"{field}-data"):
        with tempfile.NamedTemporaryFile(prefix="kube-") as file:  # created with mode 0600
            file.write(base64.b64decode(data))
            file.flush()
            yield file.name
    else:
        yield str(base / user[field]) if field in user else None


def _headers(user: dict[str, Any], base: Path) -> dict[str, str]:
    """Return the Authorization header of a token or a password; {} with certificates only."""
    token = user.get("token")
    if not token and "tokenFile" in user:
        try:
            token = (base / user["tokenFile"]).read_text().strip()
        except OSError as error:
            raise KubeConfigError(
                f"the token file of the kubeconfig cannot be read: {error}"
            ) from error
    if token:
        return {"Authorization": f"Bearer {token}"}
    if "username" in user:
        pair = f"{user['username']}:{user.get('password', '')}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _by_plugin(path: str, context: str, server: str, namespace: str) -> Target:
    """Return the target of a user whose credentials an exec or auth-provider plugin hands out.

    The ``kubernetes`` package knows those protocols. It costs 1 to 2 s to import, so nobody pays
    for it who does not need it.
    """
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise KubeConfigError(
            f"context {context} of {path} uses a credential plugin, which needs the Python "
            "package `kubernetes`: pip install kubernetes"
        ) from error
    settings = client.Configuration()
    try:
        config.load_kube_config(path, context=context, client_configuration=settings)
    except (config.ConfigException, OSError) as error:
        raise KubeConfigError(
            f"the credential plugin of context {context} failed: {error}"
        ) from error
    token = settings.api_key.get("authorization") or settings.api_key.get("BearerToken")
    if not token and not settings.cert_file:  # the package only logs why
        raise KubeConfigError(
            f"the credential plugin of context {context} of {path} gave no credentials: run "
            f"`kubectl --kubeconfig {path} --context {context} get --raw /version` to see why"
        )
    tls = None
    if server.startswith("https://"):
        tls = ssl.create_default_context(cafile=settings.ssl_ca_cert or None)
        if not settings.verify_ssl:
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        if settings.cert_file and Path(settings.cert_file).stat().st_size:
            tls.load_cert_chain(settings.cert_file, settings.key_file)
    return Target(server, tls, {"Authorization": token} if token else {}, namespace)
