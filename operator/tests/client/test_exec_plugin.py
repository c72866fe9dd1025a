"""Credentials from a program: asked, renewed, and every way it can fail in one line."""

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from imooc_operator.client.config import ClientConfig, ConfigError
from imooc_operator.client.kubeconfig import load_kubeconfig

V1 = "client.authentication.k8s.io/v1"


def kubeconfig(folder: Path, answer: str, **fields: Any) -> Path:
    """A kubeconfig whose program counts its runs in the token and says what it was told."""
    program = folder / "program.py"
    program.write_text(
        f"import json, os, pathlib, sys\ncount = pathlib.Path({str(folder / 'count')!r})\n"
        "n = int(count.read_text()) + 1 if count.exists() else 1\ncount.write_text(str(n))\n"
        "assert json.loads(os.environ['KUBERNETES_EXEC_INFO'])['kind'] == 'ExecCredential'\n"
        f"{answer}\n"
    )
    entry = {
        "apiVersion": V1,
        "command": sys.executable,
        "args": [str(program)],
        "env": [{"name": "WHO", "value": "me"}],
        **fields,
    }
    content = {
        "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": "http://h:1"}}],
        "users": [{"name": "u", "user": {"exec": entry}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "n"}}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(content))
    return path


def token(ends: datetime | None = None) -> str:
    """The code of a program that answers with a token until `ends`."""
    status = {"expirationTimestamp": ends.isoformat()} if ends else {}
    return (
        f"status = json.loads({json.dumps(json.dumps(status))})\n"
        "status['token'] = os.environ['WHO'] + str(n)\nprint(json.dumps({'status': status}))"
    )


def header(config: ClientConfig, now: float = 0.0) -> str:
    return config.token.header(now).strip()


async def eventually(check: Callable[[], bool]) -> None:
    """Wait until `check` holds."""
    async with asyncio.timeout(20):
        while True:
            if check():
                return
            await asyncio.sleep(0.01)


def test_the_token_is_asked_for_once(tmp_path: Path) -> None:
    config = load_kubeconfig([kubeconfig(tmp_path, token())])
    assert header(config) == header(config, 1e9) == "Authorization: Bearer me1"
    assert config.namespace == "n"


@pytest.mark.asyncio
async def test_a_token_is_renewed_before_it_ends(tmp_path: Path) -> None:
    ends = datetime.now(UTC) + timedelta(hours=1)
    config = load_kubeconfig([kubeconfig(tmp_path, token(ends))])
    assert header(config, 0) == header(config, 3000) == "Authorization: Bearer me1"
    await eventually(lambda: header(config, 3599) == "Authorization: Bearer me2")


@pytest.mark.asyncio
async def test_a_refused_token_is_renewed(tmp_path: Path) -> None:
    config = load_kubeconfig([kubeconfig(tmp_path, token())])
    config.token.expire()
    assert header(config) == "Authorization: Bearer me1", "the old one serves meanwhile"
    await eventually(lambda: header(config) == "Authorization: Bearer me2")


@pytest.mark.asyncio
async def test_a_failed_renewal_keeps_the_old_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = load_kubeconfig([kubeconfig(tmp_path, token())])
    (tmp_path / "program.py").write_text("import sys; sys.exit('no network')")
    config.token.expire()
    header(config)
    await eventually(lambda: "token not renewed" in caplog.messages)
    assert header(config) == "Authorization: Bearer me1"


FAILURES = [
    pytest.param("sys.exit('log in first')", {}, "failed: log in first", id="it fails"),
    pytest.param("print('hello')", {}, "gave no credential", id="no JSON"),
    pytest.param("print('{\"status\": {}}')", {}, "neither a token nor a cert", id="nothing"),
    pytest.param(
        "", {"command": "/no/such", "installHint": "get it"}, r"no program '/no/such' \(get it\)",
        id="not there",
    ),
    pytest.param("", {"command": ""}, "exec names no command", id="no command"),
    pytest.param("", {"apiVersion": "v7"}, "exec has apiVersion 'v7'", id="another protocol"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "fields", "message"), FAILURES)
def test_a_failure_is_one_line(
    tmp_path: Path, answer: str, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as failed:
        load_kubeconfig([kubeconfig(tmp_path, answer, **fields)])
    assert "\n" not in str(failed.value)
