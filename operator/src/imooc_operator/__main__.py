"""The composition root: builds everything, connects it, runs it until SIGTERM.

Invariant: the only place that constructs things; nothing below reaches for a global.
"""

import asyncio
import gc
import logging
import os
import secrets
import signal
import socket
import sys
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from . import __version__
from .client.api import ApiClient
from .client.config import ClientConfig, ConfigError, in_cluster
from .client.kubeconfig import load_kubeconfig
from .kinds.imoocpod.reconciler import Reconciler
from .runtime.election import Election
from .runtime.endpoint import Endpoint
from .runtime.events import Recorder
from .runtime.health import Health
from .runtime.kind import Kind
from .runtime.log import configure
from .runtime.manager import Manager
from .runtime.metrics import Registry
from .runtime.process import register_process_metrics
from .settings import LEASE, Settings, parse

log = logging.getLogger(__name__)

WORKERS = 32
"""Passes at a time: as many as there are connections, for a pass waits on one request at a time."""

CONTROLLER = "k8s.imooc.com/imoocpod-operator"
"""Who events say they come from."""


def main() -> None:
    """Run the command; exit code 2 for a wrong flag or an unusable kubeconfig or address."""
    settings = parse(sys.argv[1:], os.environ)
    configure(settings.log_format, settings.log_level)
    # What is loaded now stays, and what a pass makes is freed by counting references: looking for
    # cycles every 700 objects, the default, finds none and takes a tenth of the time.
    gc.freeze()
    gc.set_threshold(10_000)
    try:
        asyncio.run(_until_signalled(settings, _config(settings)))
    except ConfigError as error:
        print(f"imooc-operator: {error}", file=sys.stderr)
        sys.exit(2)


async def _until_signalled(settings: Settings, config: ClientConfig) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(settings, config, stop)


async def run(settings: Settings, config: ClientConfig, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then end within a second; raise what ended it otherwise."""
    registry = Registry()
    identity = f"{socket.gethostname()}_{secrets.token_hex(4)}"
    client, manager = build(settings, config, registry, identity)
    endpoints = _endpoints(settings, registry, manager.health())
    for endpoint in endpoints:
        await _listen(endpoint)
    log.info(
        "starting",
        extra={
            "version": __version__,
            "server": f"{config.host}:{config.port}",
            "config": config.origin,
            "namespaces": ",".join(settings.namespaces) or "all",
            "identity": identity,
            "podImage": settings.pod_image,
        },
    )
    try:
        await manager.run(stop)
    finally:
        for endpoint in endpoints:
            endpoint.stop()
        client.close()


def build(
    settings: Settings, config: ClientConfig, registry: Registry, identity: str
) -> tuple[ApiClient, Manager]:
    """Return what runs besides the endpoints, connected and not started; call it in a loop."""
    register_process_metrics(registry, __version__)
    requests = registry.counter(
        "rest_client_requests_total", "Requests to the API server.", ("method", "code")
    )
    client = ApiClient(config, connections=WORKERS, count=requests.inc)
    recorder = Recorder(client, CONTROLLER, identity)
    manager = Manager(
        client,
        registry,
        scopes=settings.namespaces or ("",),
        workers=WORKERS,
        recorder=recorder,
        election=Election(client, config.namespace, LEASE, identity)
        if settings.leader_elect
        else None,
    )
    for kind in kinds(settings, client, recorder):
        manager.add(kind)
    return client, manager


def kinds(settings: Settings, client: ApiClient, recorder: Recorder) -> tuple[Kind, ...]:
    """Return every kind this operator serves: a new one is one more line."""
    return (
        Reconciler(
            client,
            scope_of=lambda namespace: namespace if settings.namespaces else "",
            pod_image=settings.pod_image,
            now=_now,
            emit=recorder.emit,
            dry_run=settings.dry_run,
        ),
    )


def _now() -> str:
    # A third of the time that strftime takes, twice in every pass.
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _endpoints(settings: Settings, registry: Registry, health: Health) -> list[Endpoint]:
    def probe(faults: list[str]) -> tuple[HTTPStatus, str]:
        if faults:
            return HTTPStatus.SERVICE_UNAVAILABLE, "\n".join([*faults, ""])
        return HTTPStatus.OK, "ok\n"

    endpoints = []
    if settings.metrics_address != "0":
        pages = {"/metrics": lambda: (HTTPStatus.OK, registry.exposition())}
        endpoints.append(Endpoint(settings.metrics_address, pages))
    if settings.health_address != "0":
        probes = {
            "/healthz": lambda: probe(health.live()),
            "/readyz": lambda: probe(health.ready()),
        }
        endpoints.append(Endpoint(settings.health_address, probes))
    return endpoints


async def _listen(endpoint: Endpoint) -> None:
    try:
        await endpoint.start()
    except OSError as error:
        raise ConfigError(f"cannot listen: {error.strerror or error}") from error


def _config(settings: Settings) -> ClientConfig:
    # Whoever names a context means a kubeconfig, in a pod too.
    if not (settings.kubeconfig or settings.context) and (config := in_cluster()):
        return config
    paths = settings.kubeconfig or (Path("~/.kube/config").expanduser(),)
    return load_kubeconfig(paths, settings.context)


if __name__ == "__main__":
    main()
