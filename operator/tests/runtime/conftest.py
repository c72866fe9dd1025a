"""Circumstances that several of these tests need."""

import logging
import time
from collections.abc import Iterator

import pytest

from support.candidates import Told


@pytest.fixture
def two_hours_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock on the wall is two hours ahead of UTC."""
    monkeypatch.setenv("TZ", "EET-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Told:
    """What the log of the election says."""
    caplog.set_level(logging.INFO, "imooc_operator.runtime.election")
    return Told(caplog)
