"""The small parts: batches, health."""

import asyncio

import pytest

from imooc_operator.runtime.batch import in_parallel, slow_start
from imooc_operator.runtime.health import Health
from support.virtual import now, virtual_time


class Work:
    """Remembers when each item was begun; fails at those told to."""

    def __init__(self, *failing: int) -> None:
        self.begun: list[tuple[float, int]] = []
        self.ended: list[int] = []
        self._failing = failing

    async def __call__(self, item: int) -> None:
        self.begun.append((now(), item))
        await asyncio.sleep(1 + item / 100)
        self.ended.append(item)
        if item in self._failing:
            raise ValueError(item)


@virtual_time
async def test_slow_start_doubles() -> None:
    work = Work()
    await slow_start(range(10), work)
    sizes = [sum(t == time for t, _ in work.begun) for time in sorted({t for t, _ in work.begun})]
    assert sizes == [1, 2, 4, 3]


@virtual_time
async def test_slow_start_stops_after_the_batch_that_fails() -> None:
    work = Work(1)
    with pytest.raises(ValueError, match="1"):
        await slow_start(range(10), work)
    assert [item for _, item in work.begun] == [0, 1, 2]
    assert work.ended == [0, 1, 2], "what was begun has ended"


@virtual_time
async def test_in_parallel_ends_all_before_it_raises() -> None:
    work = Work(0, 3)
    with pytest.raises(ValueError, match="0"):
        await in_parallel(range(5), work)
    assert sorted(work.ended) == [0, 1, 2, 3, 4]
    assert now() < 1.1


@pytest.mark.parametrize("after", [0.5, 1.005], ids=["the first runs", "only others run"])
@virtual_time
async def test_in_parallel_leaves_nothing_behind_when_it_is_cancelled(after: float) -> None:
    work = Work()
    batch = asyncio.create_task(in_parallel(range(5), work))
    await asyncio.sleep(after)
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert work.ended == [0][: int(after)]


class Watch:
    """An informer as health sees it."""

    def __init__(self, age: float, synced: bool) -> None:
        self._age, self._synced = age, synced

    def age(self) -> float:
        return self._age

    def is_synced(self) -> bool:
        return self._synced

    def title(self) -> str:
        return "pods in n"


def test_health_is_progress() -> None:
    assert Health([Watch(300, True)], lambda: 300).live() == []
    assert Health([Watch(301, True)], lambda: 0).live() == ["pods in n: nothing for 301 s"]
    assert Health([], lambda: 301).live() == ["a pass has been running for 301 s"]
    assert Health([Watch(0, True)], lambda: 0).ready() == []
    assert Health([Watch(0, False)], lambda: 0).ready() == ["pods in n: not synced"]
