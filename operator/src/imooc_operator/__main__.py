"""The composition root: builds everything, connects it, runs it until SIGTERM.

Invariant: the only place that constructs things; nothing below reaches for a global.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from . import __version__
from .client.api import ApiClient
from .client.config import ClientConfig, ConfigError, in_cluster
from .client.kubeconfig import load_kubeconfig
from .kinds.imoocpod.api import ImoocPod
from .kinds.imoocpod.observe import PodView, owner_key
from .kinds.imoocpod.reconciler import IMOOCPODS, PODS, Reconciler
from .runtime.controller import Controller
from .runtime.endpoint import Endpoint
from .runtime.health import Health
from .runtime.informer import Informer
from .runtime.log import configure
from .runtime.metrics import Registry
from .runtime.objects import key_of
from .runtime.process import register_process_metrics
from .settings import Settings, parse

log = logging.getLogger(__name__)

WORKERS = 32
"""Passes at a time: as many as there are connections, for a pass waits on one request at a time."""

RESYNC = 600.0
"""Seconds between two looks at every key, should an event ever have been missed."""

GRACE = 0.8
"""Seconds that passes in flight get after SIGTERM."""


def main() -> None:
    """Run the command; exit code 2 for a wrong flag or an unusable kubeconfig or address."""
    settings = parse(sys.argv[1:], os.environ)
    configure(settings.log_format, settings.log_level)
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
    register_process_metrics(registry, __version__)
    requests = registry.counter(
        "rest_client_requests_total", "Requests to the API server.", ("method", "code")
    )
    client = ApiClient(config, connections=WORKERS, count=requests.inc)
    scopes = settings.namespaces or ("",)
    reconciler = Reconciler(
        client,
        scope_of=lambda namespace: namespace if settings.namespaces else "",
        pod_image=settings.pod_image,
        now=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    controller = Controller("imoocpod", reconciler.reconcile, registry, workers=WORKERS)
    _enqueue_on_change(reconciler, controller)
    informers: list[Informer[Any, Any]] = []
    for scope in scopes:
        informers += (
            Informer(client, IMOOCPODS, scope, reconciler.cr_decoder, reconciler.crs),
            Informer(client, PODS, scope, reconciler.pod_decoder, reconciler.pods),
        )
    _register_watch_metrics(registry, informers, reconciler)
    health = Health(informers, controller.queue.oldest)
    endpoints = _endpoints(settings, registry, health)

    for endpoint in endpoints:
        await _listen(endpoint)
    log.info(
        "starting",
        extra={
            "version": __version__,
            "server": f"{config.host}:{config.port}",
            "config": config.origin,
            "namespaces": ",".join(settings.namespaces) or "all",
            "podImage": settings.pod_image,
        },
    )
    background = [_task(informer.run()) for informer in informers]
    work = _task(_work(informers, controller, reconciler))
    stopped = _task(stop.wait())
    try:
        # Whatever ends first: the wish to stop, or a task that should never end.
        await asyncio.wait([stopped, work, *background], return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        controller.queue.close()
        await asyncio.wait([work], timeout=GRACE)
    finally:
        for task in (work, stopped, *background):
            task.cancel()
        outcomes = await asyncio.gather(work, *background, return_exceptions=True)
        for endpoint in endpoints:
            endpoint.stop()
        client.close()
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


async def _work(
    informers: Sequence[Informer[Any, Any]], controller: Controller, reconciler: Reconciler
) -> None:
    """Wait until all caches are filled, then reconcile until the queue is closed."""
    for informer in informers:
        await informer.synced.wait()
    log.info("synced", extra={"imoocpods": len(reconciler.crs), "pods": len(reconciler.pods)})
    resync = _task(controller.resync(reconciler.crs.keys, RESYNC))
    try:
        await controller.run()
    finally:
        resync.cancel()


def _enqueue_on_change(reconciler: Reconciler, controller: Controller) -> None:
    def cr_changed(old: ImoocPod | None, new: ImoocPod | None) -> None:
        cr = new or old
        if cr is not None:
            controller.queue.add(key_of(cr))

    def pod_changed(old: PodView | None, new: PodView | None) -> None:
        for pod in (old, new):
            if pod is not None:
                controller.queue.add(owner_key(pod))

    reconciler.crs.listen(cr_changed)
    reconciler.pods.listen(pod_changed)


def _register_watch_metrics(
    registry: Registry, informers: Sequence[Informer[Any, Any]], reconciler: Reconciler
) -> None:
    labels = ("resource", "namespace")
    registry.gauge(
        "imooc_watch_age_seconds",
        "Seconds since the API server last gave a sign of life on a watch.",
        labels,
        lambda: {(i.resource.plural, i.scope): i.age() for i in informers},
    )
    registry.gauge(
        "imooc_watch_events",
        "Events taken from a watch since the start.",
        labels,
        lambda: {(i.resource.plural, i.scope): i.events for i in informers},
    )
    registry.gauge(
        "imooc_watch_lists",
        "Full lists made for a watch since the start.",
        labels,
        lambda: {(i.resource.plural, i.scope): i.relists for i in informers},
    )
    registry.gauge(
        "imooc_cache_objects",
        "Objects in the cache.",
        ("resource",),
        lambda: {("imoocpods",): len(reconciler.crs), ("pods",): len(reconciler.pods)},
    )


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
    if settings.kubeconfig:
        return load_kubeconfig(settings.kubeconfig)
    return in_cluster() or load_kubeconfig([Path("~/.kube/config").expanduser()])


def _task(coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    return asyncio.get_running_loop().create_task(coroutine)


if __name__ == "__main__":
    main()
