"""A machine that is not as it should be: its clock, its limits."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from campaign.arena import Arena
from campaign.workloads import WORKLOADS
from support.process import OperatorProcess

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]

SHIFTED = """\
import datetime, time

SHIFT = {seconds}
true_time, true_ns, TrueDatetime = time.time, time.time_ns, datetime.datetime
time.time = lambda: true_time() + SHIFT
time.time_ns = lambda: true_ns() + SHIFT * 10**9

class datetime_(TrueDatetime):
    @classmethod
    def now(cls, tz=None):
        return TrueDatetime.now(tz) + datetime.timedelta(seconds=SHIFT)

datetime.datetime = datetime_
"""
"""Python runs a module of this name before the program: its wall clock goes wrong."""


@pytest.mark.parametrize("hours", [-1, 1])
async def test_the_clock_is_an_hour_off(arena: Arena, tmp_path: Path, hours: int) -> None:
    (tmp_path / "sitecustomize.py").write_text(SHIFTED.format(seconds=3600 * hours))
    path = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"PYTHONPATH": os.pathsep.join(path)}
    name = f"clock: {hours:+d} h"
    async with arena.plan(name, "--leader-elect", environment=environment) as plan:
        await plan.operator.start()
        for workload in ("W2 scale", "W6 fail", "W11 template"):
            await WORKLOADS[workload](plan.user)
            if workload != "W11 template":
                await plan.user.delete("web")
        (condition, *_) = (await plan.user.get("web"))["status"]["conditions"]
        written = datetime.fromisoformat(condition["lastTransitionTime"])
        off = (written - datetime.now(UTC)).total_seconds() / 3600
        assert round(off) == hours, "its clock really was off"


async def test_there_are_64_file_descriptors(arena: Arena) -> None:
    async with arena.plan("64 file descriptors") as plan:
        config = plan.folder / "operator"
        poor = OperatorProcess(
            config, plan.namespace, under=["bash", "-c", 'ulimit -n 64 && exec "$@"', "poor"]
        )
        await poor.start()
        try:
            for number in range(60):
                await plan.user.create(f"web-{number}", 3)
            for number in range(60):
                await plan.user.converged(f"web-{number}", 3)
            assert poor.runs
        finally:
            await poor.end()
