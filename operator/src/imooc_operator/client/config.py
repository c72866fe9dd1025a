"""Where the API server is and who we are to it.

Invariant: a configuration that could be loaded can be used; everything unreadable is a ConfigError
with one line for the user.
"""

import os
import ssl
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

TOKEN_TTL = 60.0
"""Seconds a token file is trusted; the kubelet rotates it well before it expires."""


class ConfigError(Exception):
    """No usable way to the API server; the message is one line for the user."""


class Token:
    """A bearer token, read again from its file when it may have been rotated."""

    def __init__(self, text: str = "", path: Path | None = None) -> None:
        """Read `path` at once, so that an unreadable token is known before anything starts."""
        self._path = path
        self._read_at: float | None = None
        self._header = bearer(text)
        if path is not None:
            try:
                self._header = bearer(path.read_text())
            except (OSError, ValueError) as error:
                raise ConfigError(f"cannot read the token: {error}") from error

    def header(self, now: float) -> str:
        """Return the Authorization header line, empty without a token; `now` is monotonic."""
        if self._path is not None and (self._read_at is None or now - self._read_at > TOKEN_TTL):
            # Between two versions the file may be missing: the old token is good a while longer.
            with suppress(OSError):
                self._header = bearer(self._path.read_text())
                self._read_at = now
        return self._header

    def expire(self) -> None:
        """Read the file again before the next request: the API server refused this token."""
        self._read_at = None


def bearer(text: str) -> str:
    """Return the Authorization header line for a token, empty without one."""
    return f"Authorization: Bearer {text.strip()}\r\n" if text.strip() else ""


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """Address, trust and identity for one API server."""

    host: str
    port: int
    base_path: str
    token: Token
    tls: ssl.SSLContext | None
    server_name: str | None
    namespace: str
    origin: str


def client_config(
    server: str,
    *,
    token: Token,
    ca_data: bytes | None = None,
    ca_file: Path | None = None,
    certificate: tuple[bytes, bytes] | None = None,
    verify: bool = True,
    server_name: str | None = None,
    namespace: str = "default",
    origin: str,
) -> ClientConfig:
    """Return the configuration for the URL `server`; `certificate` is (chain, key) in PEM.

    `namespace` is the one we are at home in: the pod's own, or the context's.
    """
    try:
        url = urlsplit(server)
        port = url.port
    except ValueError as error:
        raise ConfigError(f"{origin}: server {server!r} is no URL: {error}") from error
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ConfigError(f"{origin}: server {server!r} is not an http(s) URL")
    tls = None
    if url.scheme == "https":
        try:
            tls = _tls(ca_data, ca_file, certificate, verify)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise ConfigError(f"{origin}: unusable certificate or key: {error}") from error
    return ClientConfig(
        host=url.hostname,
        port=port or (443 if tls else 80),
        base_path=url.path.rstrip("/"),
        token=token,
        tls=tls,
        server_name=(server_name or url.hostname) if tls else None,
        namespace=namespace,
        origin=origin,
    )


def in_cluster(
    environ: Callable[[str], str | None] = os.environ.get,
    mount: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount"),
) -> ClientConfig | None:
    """Return the configuration of the pod we run in, None when we are not in a cluster."""
    host, port = environ("KUBERNETES_SERVICE_HOST"), environ("KUBERNETES_SERVICE_PORT")
    if not host or not port or not (mount / "token").exists():
        return None
    bracketed = f"[{host}]" if ":" in host else host
    try:
        namespace = (mount / "namespace").read_text().strip()
    except OSError as error:
        raise ConfigError(f"cannot read the namespace of this pod: {error}") from error
    return client_config(
        f"https://{bracketed}:{port}",
        token=Token(path=mount / "token"),
        ca_file=mount / "ca.crt",
        namespace=namespace,
        origin="in-cluster",
    )


def _tls(
    ca_data: bytes | None,
    ca_file: Path | None,
    certificate: tuple[bytes, bytes] | None,
    verify: bool,
) -> ssl.SSLContext:
    context = ssl.create_default_context(
        cafile=str(ca_file) if ca_file else None,
        cadata=ca_data.decode() if ca_data else None,
    )
    context.set_alpn_protocols(["http/1.1"])
    # Python 3.13 asks for extensions that many cluster CAs (kubeadm's too) do not carry.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        # load_cert_chain takes files only; mkstemp makes this one readable by us alone.
        handle, name = tempfile.mkstemp()
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(b"\n".join(certificate))
            context.load_cert_chain(name)
        finally:
            Path(name).unlink()
    return context
