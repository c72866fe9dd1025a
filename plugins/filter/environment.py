"""Derive an environment's paths and ports from its name.

Invariant: the same name always gives the same values, so that several environments live side by
side on one machine without anybody having to hand out ports.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

DEFAULT_ENVIRONMENT = "dev"
PORT_SPREAD = 900

_PROJECT = Path(__file__).resolve().parents[2]


def env_port(environment: str, base: int) -> int:
    """Return the TCP port of an environment: ``base`` for ``dev``, base+1 … base+900 for others."""
    if environment == DEFAULT_ENVIRONMENT:
        return base
    return base + 1 + zlib.crc32(environment.encode()) % PORT_SPREAD


def project_path(relative: str) -> str:
    """Return the absolute path of ``relative``, a path inside this project's checkout."""
    return str(_PROJECT / relative)


class FilterModule:
    """The filters of this file, as Ansible looks them up."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by the names that templates use."""
        return {"env_port": env_port, "project_path": project_path}
