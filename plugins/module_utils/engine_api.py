"""Find the container engine the way the docker command line does, and open connections to it.

Invariant: kind, docker and this project's modules always mean the same engine. Standard library
only: the official SDK takes 0.3 s to import, more than most tasks need for their questions.
"""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import json
import socket
import ssl
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DEFAULT_HOST = "unix:///var/run/docker.sock"


class EngineUnreachable(Exception):
    """The engine cannot be asked; the text says why."""


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Where the docker command line would look for its engine, and who said so."""

    host: str
    source: str
    explicit: bool
    tls_dir: str | None = None


def find_endpoint(environ: Mapping[str, str], home: Path) -> Endpoint:
    """Return the endpoint by the docker command line's own order of precedence.

    That is DOCKER_HOST, DOCKER_CONTEXT, the context chosen by ``docker context use``, the default
    socket: https://docs.docker.com/engine/manage-resources/contexts/.
    """
    config_dir = Path(environ.get("DOCKER_CONFIG") or home / ".docker")
    if host := environ.get("DOCKER_HOST"):
        tls = environ.get("DOCKER_CERT_PATH", str(config_dir))
        return Endpoint(
            host, "DOCKER_HOST", True, tls if environ.get("DOCKER_TLS_VERIFY") else None
        )
    context, source = environ.get("DOCKER_CONTEXT"), "DOCKER_CONTEXT"
    if not context:
        context, source = _read_json(config_dir / "config.json").get("currentContext"), "context"
    if not context or context == "default":
        return Endpoint(DEFAULT_HOST, "default", False)
    digest = hashlib.sha256(context.encode()).hexdigest()
    meta = _read_json(config_dir / "contexts" / "meta" / digest / "meta.json")
    host = meta.get("Endpoints", {}).get("docker", {}).get("Host", "")
    tls_dir = config_dir / "contexts" / "tls" / digest / "docker"
    return Endpoint(host, f"{source} {context}", True, str(tls_dir) if tls_dir.is_dir() else None)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


class _UnixConnection(http.client.HTTPConnection):
    """An HTTP connection through a socket file."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._path)
        except OSError:
            self.close()
            raise


def connect(endpoint: Endpoint, timeout: float) -> http.client.HTTPConnection:
    """Return an unopened connection to ``endpoint``; its reads take at most ``timeout`` seconds."""
    url = urllib.parse.urlsplit(endpoint.host)
    if url.scheme == "unix":
        return _UnixConnection(url.path, timeout)
    if url.scheme not in ("tcp", "http", "https") or not url.hostname:
        # Registry and API server are published on loopback, which ssh:// would put elsewhere.
        raise EngineUnreachable(
            f"{endpoint.host or 'no address'}: only unix:// and tcp:// are supported"
        )
    if endpoint.tls_dir is None and url.scheme != "https":
        return http.client.HTTPConnection(url.hostname, url.port or 2375, timeout=timeout)
    context = ssl.create_default_context()
    if endpoint.tls_dir is not None:
        certificates = Path(endpoint.tls_dir)
        try:
            context.load_verify_locations(certificates / "ca.pem")
            context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
        except (OSError, ssl.SSLError) as error:
            raise EngineUnreachable(f"certificates in {certificates}: {error}") from error
    return http.client.HTTPSConnection(
        url.hostname, url.port or 2376, timeout=timeout, context=context
    )
