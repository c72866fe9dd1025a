"""The command itself: probes, metrics, exit codes."""

import asyncio
import json
import logging
import os
import socket
import sys
from pathlib import Path

import pytest

from imooc_operator.__main__ import run
from imooc_operator.client.config import ConfigError, Token, client_config
from imooc_operator.runtime.log import ConsoleFormatter, JsonFormatter, pass_id
from imooc_operator.settings import parse
from support.fake_api import FakeApi
from support.inprocess import operating
from support.process import OperatorProcess
from support.store import Refusal
from support.user import User

pytestmark = pytest.mark.asyncio


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def fetch(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), body


def count(lines: list[str], series: str) -> int:
    (value,) = [line.removeprefix(f"{series} ") for line in lines if line.startswith(f"{series} ")]
    return int(value)


async def test_probes_and_metrics(api: FakeApi, user: User) -> None:
    health, metrics = free_port(), free_port()
    flags = [f"--health-probe-bind-address=127.0.0.1:{health}"]
    flags.append(f"--metrics-bind-address=127.0.0.1:{metrics}")
    async with operating(api, *flags):
        await user.create("web", 2)
        await user.converged("web", 2)
        assert await fetch(health, "/healthz") == (200, "ok\n")
        assert await fetch(health, "/readyz") == (200, "ok\n")
        assert (await fetch(health, "/"))[0] == 404
        assert (await fetch(health, "/healthz", "POST"))[0] == 405
        code, text = await fetch(metrics, "/metrics")
    assert code == 200
    lines = text.splitlines()
    assert 'rest_client_requests_total{method="POST",code="201"} 2' in lines
    assert 'imooc_cache_objects{resource="pods"} 2' in lines
    assert 'workqueue_depth{name="imoocpod"} 0' in lines
    assert count(lines, 'workqueue_adds_total{name="imoocpod"}') >= 1
    assert count(lines, 'imooc_watch_events_total{resource="pods",scope=""}') >= 2
    assert count(lines, 'imooc_watch_lists_total{resource="pods",scope=""}') == 1
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)


async def test_not_ready_and_yet_alive_while_the_crd_is_missing(api: FakeApi) -> None:
    health = free_port()
    api.fault(lambda r: r.plural == "imoocpods", _not_found)
    async with operating(api, f"--health-probe-bind-address=127.0.0.1:{health}"):
        await asyncio.sleep(0.1)
        code, text = await fetch(health, "/readyz")
        assert (code, text) == (503, "imoocpods in all namespaces: not synced\n")
        assert (await fetch(health, "/healthz"))[0] == 200


async def _not_found(request: object, act: object) -> dict[str, object]:
    raise Refusal(404, "NotFound", "the server could not find the requested resource")


async def test_an_address_in_use_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = parse(
            [f"--metrics-bind-address=127.0.0.1:{port}", "--health-probe-bind-address=0"], {}
        )
        config = client_config("http://127.0.0.1:1", token=Token(), origin="test")
        with pytest.raises(ConfigError, match="cannot listen"):
            await run(settings, config, asyncio.Event())


@pytest.mark.parametrize(
    ("arguments", "content", "message"),
    [
        pytest.param(["--replicas=3"], "", "unrecognized arguments: --replicas=3", id="flag"),
        pytest.param([], None, "no kubeconfig at ", id="no file"),
        pytest.param(["--kubeconfig=/"], "", "Is a directory", id="unreadable"),
        pytest.param([], "{", "cannot read kubeconfig", id="no YAML"),
        pytest.param([], "contexts: 5", "got `int` - at `$.contexts`", id="another shape"),
        pytest.param([], "current-context: x", "no context named 'x'", id="no such context"),
    ],
)
async def test_a_mistake_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: list[str], content: str | None, message: str
) -> None:
    """What is wrong with the command line, or with `content`, which KUBECONFIG names."""
    kubeconfig = tmp_path / "config"
    if content is not None:
        kubeconfig.write_text(content)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "imooc_operator",
        *arguments,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"KUBECONFIG": str(kubeconfig)},
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    (line,) = errors.decode().splitlines()
    assert message in line


async def test_an_api_server_out_of_reach_is_waited_for(tmp_path: Path) -> None:
    """It may come back: that is the same fault as one that goes away later."""
    (tmp_path / "config").write_text(
        "current-context: c\n"
        "contexts: [{name: c, context: {cluster: k}}]\n"
        f"clusters: [{{name: k, cluster: {{server: 'http://127.0.0.1:{free_port()}'}}}}]\n"
    )
    operator = OperatorProcess(tmp_path / "config", "n")
    start = asyncio.create_task(operator.start())
    tries = 0
    async with asyncio.timeout(20):
        while tries < 4:  # two each: of ImoocPods, of pods
            await asyncio.sleep(0.02)
            tries = sum("no connection to 127.0.0.1" in line for line in operator.log)
    assert await operator.terminate() == 0
    await start


async def test_only_the_chosen_namespaces_are_watched(api: FakeApi, user: User) -> None:
    for namespace in ("a", "b", "c"):
        body = {"metadata": {"name": "web"}, "spec": {"replicas": 1}}
        api.store.create("imoocpods", namespace, body)
    async with operating(api, "--namespaces=a,b"):
        for namespace in ("a", "b"):

            async def made(where: str = namespace) -> bool | None:
                return True if api.store.all("pods", where) else None

            await user.eventually(made, f"a pod in {namespace}")
        await asyncio.sleep(0.1)
    assert api.store.all("pods", "c") == []
    assert {r.namespace for r in api.requests if r.verb in ("list", "watch")} == {"a", "b"}


async def test_log_records_as_json_and_for_a_console() -> None:
    record = logging.LogRecord("imooc_operator.x", logging.INFO, "", 0, "pods created", None, None)
    record.key = "n/web"
    token = pass_id.set("imoocpod-7")
    line = json.loads(JsonFormatter().format(record))
    console = ConsoleFormatter().format(record)
    pass_id.reset(token)
    assert (line["message"], line["key"], line["pass"]) == ("pods created", "n/web", "imoocpod-7")
    assert line["logger"] == "x"
    assert console.endswith("INFO    pods created key=n/web pass=imoocpod-7")
