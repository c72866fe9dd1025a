"""The controller loop: retries, timers, shutdown, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from imooc_operator.client.errors import TooManyRequests, Unreachable
from imooc_operator.runtime.controller import Controller, Result, TerminalError
from imooc_operator.runtime.log import pass_id
from imooc_operator.runtime.metrics import Registry
from support.virtual import now, virtual_time

Outcome = Result | Exception | type[Exception]


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
        if isinstance(outcome, Result):
            return outcome
        raise outcome


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


def shown(registry: Registry) -> dict[str, float]:
    """Return all series but the buckets of histograms."""
    lines = registry.exposition().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {series: float(value) for series, value in pairs if "_bucket{" not in series}


def told(caplog: pytest.LogCaptureFixture, *fields: str) -> list[tuple[object, ...]]:
    """Return level, message and fields of each log record."""
    return [
        (r.levelname, r.getMessage(), *(vars(r)[field] for field in fields)) for r in caplog.records
    ]


@virtual_time
async def test_success_is_not_repeated() -> None:
    passes = Passes(Result())
    await run(passes, 3000, "a")
    assert len(passes.times) == 1


@virtual_time
async def test_a_pass_that_asks_for_others_first_comes_after_those_that_wait() -> None:
    order: list[str] = []

    async def polite(key: str) -> Result:
        order.append(key)
        return Result(requeue_after=0) if order == ["a"] else Result()

    registry = Registry()
    controller = Controller("c", polite, registry, workers=1)
    for key in ("a", "b", "c"):
        controller.queue.add(key)
    work = asyncio.ensure_future(controller.run())
    await asyncio.sleep(0.001)
    controller.queue.close()
    await work
    assert order == ["a", "b", "c", "a"]
    asked = 'controller_runtime_reconcile_total{controller="c",result="requeue_after"}'
    assert shown(registry)[asked] == 1


@virtual_time
async def test_every_pass_is_counted_and_timed_by_its_outcome() -> None:
    outcomes = Passes(Unreachable("x", sent=True), Result(requeue_after=5), Result(), TerminalError)

    async def slow(key: str) -> Result:
        await asyncio.sleep(2)
        return await outcomes(key)

    registry = Registry()
    controller = Controller("c", slow, registry, workers=1)
    work = asyncio.ensure_future(controller.run())
    controller.queue.add("a")
    await asyncio.sleep(30)
    for key in ("b", "c", "d"):
        controller.queue.add(key)
    await asyncio.sleep(3)
    assert shown(registry) == {
        'controller_runtime_reconcile_total{controller="c",result="error"}': 1,
        'controller_runtime_reconcile_total{controller="c",result="requeue_after"}': 1,
        'controller_runtime_reconcile_total{controller="c",result="success"}': 1,
        'controller_runtime_reconcile_total{controller="c",result="terminal"}': 1,
        'controller_runtime_reconcile_errors_total{controller="c"}': 1,
        'controller_runtime_reconcile_time_seconds_count{controller="c"}': 4,
        'controller_runtime_reconcile_time_seconds_sum{controller="c"}': 8,
        'workqueue_adds_total{name="c"}': 6,
        'workqueue_queue_duration_seconds_count{name="c"}': 5,
        'workqueue_queue_duration_seconds_sum{name="c"}': 2,
        'workqueue_retries_total{name="c"}': 1,
        'workqueue_depth{name="c"}': 1,
        'workqueue_longest_running_processor_seconds{name="c"}': 1,
    }
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


def test_a_failure_of_the_api_is_told_in_a_line(caplog: pytest.LogCaptureFixture) -> None:
    @virtual_time
    async def check() -> None:
        await run(Passes(Unreachable("cut", sent=True), Unreachable("cut", sent=True)), 1, "a")

    check()
    assert told(caplog, "key", "reason", "delay", "exc_info") == [
        ("WARNING", "pass failed", "a", "cut", 0.005, None),
        ("WARNING", "pass failed", "a", "cut", 0.01, None),
    ]


def test_the_delay_is_told_in_milliseconds(caplog: pytest.LogCaptureFixture) -> None:
    @virtual_time
    async def check() -> None:
        error = TooManyRequests("x", 429, retry_after=1.23456)
        await run(Passes(error), 9, "a")

    check()
    assert told(caplog, "delay") == [("WARNING", "pass failed", 1.235)]


def test_an_end_for_good_is_told(caplog: pytest.LogCaptureFixture) -> None:
    @virtual_time
    async def check() -> None:
        await run(Passes(TerminalError("no such namespace")), 1, "a")

    check()
    assert told(caplog, "key", "reason") == [
        ("WARNING", "pass ended for good", "a", "no such namespace")
    ]


@virtual_time
async def test_failures_are_retried_with_backoff_until_success() -> None:
    passes = Passes(*[Unreachable("x", sent=True)] * 3)
    controller, registry = await run(passes, 60, "a")
    gaps = [round(b - a, 4) for a, b in zip(passes.times, passes.times[1:], strict=False)]
    assert gaps == [0.005, 0.01, 0.02]
    assert controller.queue.backoff.failures("a") == 0
    assert 'workqueue_retries_total{name="c"} 3' in registry.exposition()


@virtual_time
async def test_the_failures_of_one_key_do_not_slow_another() -> None:
    passes = Passes(*[Unreachable("x", sent=True)] * 4)
    await run(passes, 60, "a", "b")
    assert passes.times == [0, 0, 0.005, 0.005, 0.015, 0.015]


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
    assert (record.levelname, record.getMessage()) == ("ERROR", "pass failed")
    assert record.exc_info
    assert record.exc_info[0] is ZeroDivisionError


@virtual_time
async def test_a_terminal_error_is_not_retried_and_the_backoff_starts_over() -> None:
    passes = Passes(Unreachable("x", sent=True), Unreachable("x", sent=True), TerminalError("no"))
    controller, _ = await run(passes, 3000, "a")
    assert len(passes.times) == 3
    assert controller.queue.backoff.failures("a") == 0


@virtual_time
async def test_a_pause_asked_for_that_is_shorter_than_the_backoff_changes_nothing() -> None:
    passes = Passes(TooManyRequests("x", 429, retry_after=0.001))
    await run(passes, 60, "a")
    assert passes.times[1] - passes.times[0] == pytest.approx(0.005)


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
async def test_resync_enqueues_all_keys_about_every_period_and_not_all_at_once() -> None:
    keys = [str(number) for number in range(50)]
    passes = Passes()
    controller = Controller("c", passes, Registry(), workers=1)
    work = asyncio.ensure_future(controller.run())
    resync = asyncio.ensure_future(controller.resync(lambda: keys, 100.0))
    await asyncio.sleep(89.9)
    assert passes.times == []
    await asyncio.sleep(120.1 - 89.9)
    assert len(passes.times) == len(keys)
    assert 5 < passes.times[-1] - passes.times[0] <= 10, "spread over a tenth of the period"
    await asyncio.sleep(230 - 120)
    assert len(passes.times) == 2 * len(keys)
    resync.cancel()
    controller.queue.close()
    await work


@pytest.mark.parametrize(("chance", "when"), [(0.0, [90, 180]), (1.0, [120, 230])])
@virtual_time
async def test_a_resync_comes_a_tenth_early_at_most_and_two_late(
    chance: float, when: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that operators which were started together do not stay together."""
    monkeypatch.setattr("random.uniform", lambda low, high: low + chance * (high - low))
    passes = Passes()
    controller = Controller("c", passes, Registry(), workers=1)
    work = asyncio.ensure_future(controller.run())
    resync = asyncio.ensure_future(controller.resync(lambda: ["a"], 100.0))
    await asyncio.sleep(250)
    assert passes.times == when
    resync.cancel()
    controller.queue.close()
    await work
