"""Metrics about the process itself, under the names every Prometheus client uses."""

import resource
import sys
import time
from pathlib import Path

from .metrics import Registry


def register_process_metrics(registry: Registry, version: str) -> None:
    """Register memory, CPU, start time and build information."""
    started = time.time()
    build = (version, sys.version.partition(" ")[0])
    registry.gauge(
        "imooc_operator_build_info",
        "Always 1; the labels tell what runs.",
        ("version", "python"),
        lambda: {build: 1},
    )
    registry.gauge(
        "process_start_time_seconds", "Start, in seconds since 1970.", (), lambda: {(): started}
    )
    registry.total(
        "process_cpu_seconds_total", "CPU time used.", (), lambda: {(): time.process_time()}
    )
    registry.gauge("process_resident_memory_bytes", "Memory in use.", (), lambda: {(): _resident()})


def _resident() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:  # not Linux: the peak is the nearest there is
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return float(pages * resource.getpagesize())
