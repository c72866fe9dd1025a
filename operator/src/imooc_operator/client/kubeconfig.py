"""Reading a kubeconfig: files merged as kubectl merges them, one context chosen."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Required, TypedDict

import msgspec

from . import exec_plugin
from .config import ClientConfig, ConfigError, Token, client_config

Entry = Mapping[str, Any]


class _Context(TypedDict, total=False):
    cluster: str | None
    user: str | None
    namespace: str | None


_Cluster = TypedDict(
    "_Cluster",
    {
        "server": str | None,
        "certificate-authority": str | None,
        "certificate-authority-data": str | None,
        "insecure-skip-tls-verify": bool | None,
        "tls-server-name": str | None,
    },
    total=False,
)

_User = TypedDict(
    "_User",
    {
        "token": str | None,
        "tokenFile": str | None,
        "client-certificate": str | None,
        "client-certificate-data": str | None,
        "client-key": str | None,
        "client-key-data": str | None,
        "exec": exec_plugin.Entry | None,
        "auth-provider": object,
        "username": object,
    },
    total=False,
)


class _NamedContext(TypedDict, total=False):
    name: Required[str]
    context: _Context | None


class _NamedCluster(TypedDict, total=False):
    name: Required[str]
    cluster: _Cluster | None


class _NamedUser(TypedDict, total=False):
    name: Required[str]
    user: _User | None


_Kubeconfig = TypedDict(
    "_Kubeconfig",
    {
        "current-context": str | None,
        "contexts": list[_NamedContext] | None,
        "clusters": list[_NamedCluster] | None,
        "users": list[_NamedUser] | None,
    },
    total=False,
)


def load_kubeconfig(paths: Sequence[Path], context: str | None = None) -> ClientConfig:
    """Return the configuration of `context`, by default the current one.

    Of several files the first to name a cluster, user, context or current-context wins; files that
    do not exist are skipped as kubectl does, unless none exists.
    """
    files = [(path, content) for path in paths if (content := _read(path)) is not None]
    if not files:
        raise ConfigError(f"no kubeconfig at {', '.join(map(str, paths))}")
    origin = ", ".join(str(path) for path, _ in files)
    chosen = context or next((c for _, f in files if (c := f.get("current-context"))), None)
    if not chosen:
        raise ConfigError(f"{origin}: no current-context is set")
    _, settings = _find(files, "contexts", "context", chosen)
    cluster_home, cluster = _find(files, "clusters", "cluster", str(settings.get("cluster", "")))
    user_name = str(settings.get("user", ""))
    user_home, user = _find(files, "users", "user", user_name) if user_name else (cluster_home, {})
    for unsupported in ("auth-provider", "username"):
        if unsupported in user:
            raise ConfigError(
                f"{user_home}: user {user_name!r} authenticates by {unsupported!r}, which this"
                " operator cannot do; use a client certificate, a token or an exec plugin"
            )
    token, certificate = _identity(user, user_home)
    return client_config(
        str(cluster.get("server", "")),
        token=token,
        ca_data=_bytes(cluster, "certificate-authority", cluster_home),
        certificate=certificate,
        verify=not cluster.get("insecure-skip-tls-verify", False),
        server_name=cluster.get("tls-server-name"),
        namespace=str(settings.get("namespace") or "default"),
        origin=origin,
    )


def _identity(user: Entry, home: Path) -> tuple[Token, tuple[bytes, bytes] | None]:
    if not user.get("exec"):
        return _token(user, home), _certificate(user, home)
    asked = exec_plugin.program(user["exec"], str(home))
    answer = asked.ask()
    if not answer.token:
        return Token(), answer.certificate
    return exec_plugin.ExecToken(asked, answer), answer.certificate


def _read(path: Path) -> Entry | None:
    """Return what is used of a file, of the types it must have; None where there is no file."""
    import yaml  # costs 2 MB of memory that a pod in the cluster never needs

    try:
        return msgspec.convert(yaml.safe_load(path.read_text()), _Kubeconfig)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"cannot read kubeconfig {path}: {reason}") from error


def _find(
    files: Sequence[tuple[Path, Entry]], plural: str, singular: str, name: str
) -> tuple[Path, Entry]:
    for path, content in files:
        for entry in content.get(plural) or ():
            if entry["name"] == name:
                return path, entry.get(singular) or {}
    raise ConfigError(f"{', '.join(str(p) for p, _ in files)}: no {singular} named {name!r}")


def _bytes(entry: Entry, field: str, home: Path) -> bytes | None:
    """Return `field`-data, or the content of the file `field` names (relative to its home)."""
    try:
        if data := entry.get(f"{field}-data"):
            return base64.b64decode(data, validate=True)
        if file := entry.get(field):
            return (home.parent / str(file)).read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{home}: cannot read {field}: {error}") from error
    return None


def _token(user: Entry, home: Path) -> Token:
    if text := user.get("token"):
        return Token(str(text))
    if file := user.get("tokenFile"):
        return Token(path=home.parent / str(file))
    return Token()


def _certificate(user: Entry, home: Path) -> tuple[bytes, bytes] | None:
    chain = _bytes(user, "client-certificate", home)
    key = _bytes(user, "client-key", home)
    if (chain is None) != (key is None):
        raise ConfigError(f"{home}: client certificate and key must come together")
    return (chain, key) if chain is not None and key is not None else None
