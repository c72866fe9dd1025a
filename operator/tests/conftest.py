"""Makes `support` importable under every way of starting pytest; has the arena for campaigns."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from campaign.arena import Arena

sys.path.insert(0, str(Path(__file__).parent))


def pytest_configure(config: pytest.Config) -> None:
    """Set hypothesis up; take looptime's plugin out, of which support.virtual needs the loop alone.

    The plugin asks the policy for a loop in every asyncio test, which leaves one open each time.
    """
    config.pluginmanager.unregister(name="looptime")
    # pytest-asyncio asks for the current loop and, unless told that there is none, makes one that
    # it never closes.
    asyncio.set_event_loop(None)
    # Properties are about what happens, not how fast: the machine is shared.
    settings.register_profile("operator", deadline=None)
    settings.load_profile("operator")


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Arena"]:
    """A real control plane, with the operator's own namespace and account.

    IMOOC_CAMPAIGN_REPORT names a file for the numbers of plans that were run and that passed.
    """
    from campaign.arena import Arena  # only found since the path above is set
    from support.control_plane import control_plane

    programs = os.environ.get("IMOOC_CONTROL_PLANE_BIN")
    if not programs:
        pytest.fail("IMOOC_CONTROL_PLANE_BIN names no folder with etcd and kube-apiserver")
    with control_plane(Path(programs), tmp_path_factory.mktemp("control-plane")) as plane:
        arena = Arena(plane)
        yield arena
        if report := os.environ.get("IMOOC_CAMPAIGN_REPORT"):
            Path(report).write_text(json.dumps(arena.report(), indent=1) + "\n")
