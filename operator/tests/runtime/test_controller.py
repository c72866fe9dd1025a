"""The controller loop: retries, timers, shutdown, in virtual time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from imooc_operator.client.errors import TooManyRequests, Unreachable
from imooc_operator.runtime.controller import Controller, Result, TerminalError
from imooc_operator.runtime.log import pass_id
from imooc_operator.runtime.metrics import Registry
from support.virtual import now, virtual_time

Outcome = Result | Exception


class Passes:
    """A reconcile function with prepared outcomes; remembers when it ran."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes = list(outcomes)
        self.times: list[float] = []
        self.ids: list[str] = []

    async def __call__(self, key: str) -> Result:
        self.times.append(round(asyncio.get_running_loop().time(), 4))
        self.ids.append(pass_id.get())
        outcome = self._outcomes.pop(0) if self._outcomes else Result()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def run(
    reconcile: Callable[[str], Awaitable[Result]], seconds: float, *keys: str
) -> tuple[Controller, Registry]:
    """Run a controller over `keys` for some virtual seconds."""
    registry = Registry()
    controller = Controller("c", reconcile, registry, workers=2)
    task = asyncio.ensure_future(controller.run())
    for key in keys:
        controller.queue.add(key)
    await asyncio.sleep(seconds)
    controller.queue.close()
    await task
    return controller, registry


@virtual_time
async def test_success_is_not_repeated() -> None:
    passes = Passes(Result())
    _, registry = await run(passes, 3000, "a")
    assert len(passes.times) == 1
    assert 'controller_runtime_reconcile_total{controller="c",result="success"} 1' in (
        registry.exposition()
    )


@virtual_time
async def test_failures_are_retried_with_backoff_until_success() -> None:
    passes = Passes(*[Unreachable("x", sent=True)] * 3)
    controller, registry = await run(passes, 60, "a")
    gaps = [round(b - a, 4) for a, b in zip(passes.times, passes.times[1:], strict=False)]
    assert gaps == [0.005, 0.01, 0.02]
    assert controller.queue.backoff.failures("a") == 0
    assert 'workqueue_retries_total{name="c"} 3' in registry.exposition()


@virtual_time
async def test_retry_after_is_respected() -> None:
    passes = Passes(TooManyRequests("x", 429, retry_after=7.0))
    await run(passes, 60, "a")
    assert passes.times[1] - passes.times[0] == pytest.approx(7.0)


@virtual_time
async def test_a_defect_is_logged_with_its_trace_and_stops_no_other_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[str] = []

    async def reconcile(key: str) -> Result:
        seen.append(key)
        if key == "bad":
            raise ZeroDivisionError
        return Result()

    await run(reconcile, 0.1, "bad", "good")
    assert "good" in seen
    record = caplog.records[0]
    assert record.levelno == logging.ERROR
    assert record.exc_info


@virtual_time
async def test_a_terminal_error_is_not_retried() -> None:
    passes = Passes(TerminalError("no"))
    await run(passes, 3000, "a")
    assert len(passes.times) == 1


@virtual_time
async def test_requeue_after_is_a_timer() -> None:
    passes = Passes(Result(requeue_after=30))
    await run(passes, 100, "a")
    assert passes.times[1] - passes.times[0] == pytest.approx(30)


@virtual_time
async def test_each_pass_has_an_id_of_its_own() -> None:
    passes = Passes()
    await run(passes, 1, "a", "b")
    assert sorted(passes.ids) == ["c-1", "c-2"]


@virtual_time
async def test_closing_lets_passes_in_flight_finish() -> None:
    finished: list[str] = []

    async def slow(key: str) -> Result:
        await asyncio.sleep(5)
        finished.append(key)
        return Result()

    await run(slow, 1, "a", "b", "c")
    assert finished == ["a", "b"]


@virtual_time
async def test_a_pass_cut_short_is_owed_to_the_next_run() -> None:
    """The lease was lost in its middle, and came back."""
    began: list[float] = []

    async def slow(key: str) -> Result:
        began.append(now())
        await asyncio.sleep(5)
        return Result()

    controller = Controller("c", slow, Registry(), workers=1)
    controller.queue.add("a")
    for _ in range(2):
        work = asyncio.ensure_future(controller.run())
        await asyncio.sleep(1)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert began == [0, 1]


@virtual_time
async def test_resync_enqueues_all_keys_about_every_period() -> None:
    passes = Passes()
    controller = Controller("c", passes, Registry(), workers=1)
    work = asyncio.ensure_future(controller.run())
    resync = asyncio.ensure_future(controller.resync(lambda: ["a", "b"], 100.0))
    await asyncio.sleep(89)
    assert passes.times == []
    await asyncio.sleep(121 - 89)
    assert len(passes.times) == 2
    resync.cancel()
    controller.queue.close()
    await work
