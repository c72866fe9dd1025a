"""The laws of the workqueue, in virtual time."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imooc_operator.runtime.backoff import Backoff, KeyedBackoff
from imooc_operator.runtime.workqueue import WorkQueue
from support.virtual import now, virtual_time


@virtual_time
async def test_keys_come_in_order_and_once() -> None:
    queue = WorkQueue[str]()
    for key in ("a", "b", "a"):
        queue.add(key)
    assert len(queue) == 2
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 0


@virtual_time
async def test_an_add_during_processing_runs_once_more_and_not_at_the_same_time() -> None:
    queue = WorkQueue[str]()
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert len(queue) == 1
    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


@virtual_time
async def test_get_waits_for_an_add() -> None:
    queue = WorkQueue[str]()
    asyncio.get_running_loop().call_later(3, queue.add, "a")
    assert await queue.get() == "a"
    assert now() == 3


@virtual_time
async def test_a_delayed_add_comes_in_time_and_the_earliest_counts() -> None:
    queue = WorkQueue[str]()
    queue.add_after("a", 10)
    queue.add_after("a", 4)
    queue.add_after("a", 7)
    assert await queue.get() == "a"
    assert now() == 4
    queue.done("a")
    queue.add_after("a", 20)
    assert await queue.get() == "a"
    assert now() == 24, "the others were void"
    queue.done("a")
    await asyncio.sleep(20)
    assert len(queue) == 0


@virtual_time
async def test_no_delay_is_a_plain_add() -> None:
    queue = WorkQueue[str]()
    queue.add_after("a", 0)
    queue.add_after("b", -1)
    assert len(queue) == 2
    assert [await queue.get(), await queue.get()] == ["a", "b"]


@virtual_time
async def test_close_ends_waiting_and_hands_out_nothing_more() -> None:
    queue = WorkQueue[str]()
    waiting = asyncio.gather(queue.get(), queue.get())
    await asyncio.sleep(1)
    queue.add_after("later", 5)
    queue.close()
    assert list(await waiting) == [None, None]
    queue.add("a")
    queue.add_after("b", 1)
    await asyncio.sleep(10)
    assert await queue.get() is None


@virtual_time
async def test_close_leaves_what_is_queued() -> None:
    queue = WorkQueue[str]()
    queue.add("a")
    queue.close()
    assert await queue.get() is None


@virtual_time
async def test_a_cancelled_worker_does_not_swallow_a_key() -> None:
    queue = WorkQueue[str]()
    first = asyncio.ensure_future(queue.get())
    second = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    queue.add("a")  # wakes the first
    first.cancel()
    async with asyncio.timeout(1):
        assert await second == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


@virtual_time
async def test_waiting_time_and_age_of_the_oldest_pass() -> None:
    waits: list[float] = []
    queue = WorkQueue[str](on_wait=waits.append)
    assert queue.oldest() == 0
    queue.add("a")
    await asyncio.sleep(2)
    await queue.get()
    await asyncio.sleep(3)
    queue.add("b")
    await queue.get()
    assert waits == [2, 0]
    assert queue.oldest() == 3


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20)), max_size=30),
    st.lists(st.integers(0, 5), min_size=1, max_size=30),
)
@virtual_time
async def test_no_key_is_in_two_hands_and_no_add_is_lost(
    adds: list[tuple[int, int]], durations: list[int]
) -> None:
    queue = WorkQueue[int]()
    loop = asyncio.get_running_loop()
    busy: set[int] = set()
    started: dict[int, float] = {}
    pace = iter(durations * 100)

    async def work() -> None:
        while (key := await queue.get()) is not None:
            assert key not in busy, "the same key in two workers"
            busy.add(key)
            started[key] = loop.time()
            await asyncio.sleep(next(pace))
            busy.discard(key)
            queue.done(key)

    workers = [asyncio.ensure_future(work()) for _ in range(3)]
    last: dict[int, float] = {}
    began = loop.time()
    for key, delay in adds:
        loop.call_at(began + delay, queue.add, key)
        last[key] = max(last.get(key, 0), began + delay)
    await asyncio.sleep(1000)
    queue.close()
    await asyncio.gather(*workers)
    for key, when in last.items():
        assert started[key] >= when, "an add was not followed by a pass"


@virtual_time
async def test_backoff_doubles_from_5_ms_to_1000_s_and_starts_over() -> None:
    backoff = KeyedBackoff[str]()
    delays = [backoff.next("a") for _ in range(70)]
    assert delays[:4] == [0.005, 0.01, 0.02, 0.04]
    assert delays[17] == pytest.approx(655.36)
    assert set(delays[18:]) == {1000.0}
    assert backoff.next("b") == 0.005
    assert backoff.failures("a") == 70
    backoff.forget("a")
    assert backoff.next("a") == 0.005


@virtual_time
async def test_the_backoff_of_a_loop_is_spread() -> None:
    backoff = Backoff(base=1.0, cap=8.0, jitter=0.5)
    for limit in (1, 2, 4, 8, 8):
        assert limit <= backoff.next() <= 1.5 * limit
    backoff.reset()
    assert backoff.next() <= 1.5


@virtual_time
async def test_a_loop_waits_a_tenth_of_a_second_doubling_to_30_and_at_most_half_as_much_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for chance, factor in ((0.0, 1.0), (1.0, 1.5)):
        monkeypatch.setattr("random.random", lambda chance=chance: chance)
        backoff = Backoff()
        delays = [backoff.next() for _ in range(10)]
        assert delays == pytest.approx(
            [factor * d for d in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30)]
        )
