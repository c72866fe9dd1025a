"""Makes `support` importable under every way of starting pytest."""

import asyncio
import sys
from pathlib import Path

import pytest
from hypothesis import settings

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
