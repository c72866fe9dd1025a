"""The engine is looked for where docker looks, and described without exceptions."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path

import pytest
from ansible.module_utils.engine_api import DEFAULT_HOST, EngineUnreachable, connect, find_endpoint
from ansible.module_utils.engine_facts import find_buildx, read_engine, version


def write_context(home: Path, name: str, host: str) -> None:
    """Store a context the way ``docker context create`` does."""
    folder = home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    meta = {"Name": name, "Endpoints": {"docker": {"Host": host}}}
    (folder / "meta.json").write_text(json.dumps(meta))


def test_the_default_socket(tmp_path: Path) -> None:
    endpoint = find_endpoint({}, tmp_path)
    assert (endpoint.host, endpoint.explicit) == (DEFAULT_HOST, False)


def test_docker_host_wins(tmp_path: Path) -> None:
    write_context(tmp_path, "other", "tcp://10.0.0.7:2375")
    endpoint = find_endpoint(
        {"DOCKER_HOST": "tcp://[::1]:2375", "DOCKER_CONTEXT": "other"}, tmp_path
    )
    assert (endpoint.host, endpoint.source, endpoint.explicit, endpoint.tls_dir) == (
        "tcp://[::1]:2375",
        "DOCKER_HOST",
        True,
        None,
    )


@pytest.mark.parametrize("by", ["environment", "configuration"])
def test_a_context(tmp_path: Path, by: str) -> None:
    write_context(tmp_path, "other", "unix:///run/other.sock")
    environ = {"DOCKER_CONTEXT": "other"} if by == "environment" else {}
    if not environ:
        (tmp_path / ".docker/config.json").write_text('{"currentContext": "other"}')
    endpoint = find_endpoint(environ, tmp_path)
    assert (endpoint.host, endpoint.explicit) == ("unix:///run/other.sock", True)
    assert endpoint.source.endswith("other")


def test_tls_only_when_asked_for(tmp_path: Path) -> None:
    environ = {"DOCKER_HOST": "tcp://h:2376", "DOCKER_CERT_PATH": "/certs"}
    assert find_endpoint(environ, tmp_path).tls_dir is None
    assert find_endpoint({**environ, "DOCKER_TLS_VERIFY": "1"}, tmp_path).tls_dir == "/certs"


@pytest.mark.parametrize("host", ["ssh://me@box", "", "npipe:////./pipe/docker"])
def test_what_cannot_be_used_is_said(tmp_path: Path, host: str) -> None:
    endpoint = find_endpoint({"DOCKER_HOST": host or "tcp://"}, tmp_path)
    with pytest.raises(EngineUnreachable, match="only unix:// and tcp://"):
        connect(endpoint, 1)


def test_a_dead_socket_is_a_description(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    facts, client = read_engine({"DOCKER_HOST": f"unix://{path}"}, tmp_path)
    assert client is None
    assert (facts.reachable, facts.explicit, facts.socket) == (False, True, str(path))
    assert "refused" in facts.error


def test_buildx_of_the_user_is_found(tmp_path: Path) -> None:
    plugin = tmp_path / ".docker/cli-plugins/docker-buildx"
    plugin.parent.mkdir(parents=True)
    plugin.touch(mode=0o755)
    assert find_buildx({}, tmp_path) == str(plugin)
    assert find_buildx({"DOCKER_CONFIG": str(tmp_path / ".docker")}, Path("/x")) == str(plugin)


@pytest.mark.parametrize(
    ("older", "newer"),
    [("20.10.24+dfsg1", "23.0"), ("26.1.5+dfsg1", "28.2.2"), ("", "23.0"), ("9.9", "10.0.0-rc.1")],
)
def test_versions_compare_by_their_numbers(older: str, newer: str) -> None:
    assert version(older) < version(newer)
