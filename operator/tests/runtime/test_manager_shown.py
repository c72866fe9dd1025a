"""What a manager says of itself: health and metrics."""

import asyncio
import re

import pytest

from support.homes import World, running
from support.virtual import virtual_time

SILENT = ["homes in n: nothing for 310 s", "cats in n: nothing for 310 s"]


@pytest.mark.parametrize(
    ("role", "fault"),
    [
        ("alone", "a pass has been running for 310 s"),
        ("leader", "a pass has been running for 310 s"),
        ("standby", "leases in home: nothing for 310 s"),
    ],
)
@virtual_time
async def test_health_looks_at_what_there_is_of_watches_lease_and_passes(
    role: str, fault: str
) -> None:
    world = World(election=role != "alone")
    if role == "standby":
        world.led_by_another(duration=100_000)
    world.make("homes", "red")
    world.kind.takes = 1000
    world.api.pace = 1
    async with running(world):
        await asyncio.sleep(300)
        assert world.health.live() == []
        await asyncio.sleep(10)
        assert world.health.live() == [*SILENT, fault]


@virtual_time
async def test_without_an_election_no_lease_is_shown() -> None:
    assert "leader_election" not in _text(World())


@virtual_time
async def test_watches_and_caches_are_shown() -> None:
    world = World("n", "m")
    world.make("homes", "red")
    world.make("homes", "red", "m")
    async with running(world):
        await asyncio.sleep(1)
        world.make("homes", "blue")
        await asyncio.sleep(1)
        series = {
            name: {labels: float(value) for labels, value in found}
            for name in ("age_seconds", "events_total", "lists_total")
            if (found := re.findall(rf"imooc_watch_{name}{{(.*)}} (\S+)", _text(world)))
        }
        homes, others = 'resource="homes",scope="n"', 'resource="homes",scope="m"'
        assert series["events_total"][homes] == 1
        assert series["events_total"][others] == 0
        assert series["lists_total"] == dict.fromkeys(
            (homes, others, homes.replace("homes", "cats"), others.replace("homes", "cats")), 1
        )
        assert series["age_seconds"][homes] == pytest.approx(1, abs=0.1)
        assert series["age_seconds"][others] == pytest.approx(2, abs=0.1)
        assert world.shown("imooc_cache_objects") == [
            'imooc_cache_objects{resource="homes"} 3',
            'imooc_cache_objects{resource="cats"} 0',
        ]
        assert world.shown("workqueue_depth") == ['workqueue_depth{name="home"} 0']


@virtual_time
async def test_help_says_what_each_metric_is() -> None:
    helps = dict(re.findall(r"# HELP (\S+) (.+)", _text(World(election=True))))
    assert helps == {
        "controller_runtime_reconcile_errors_total": "Passes that failed.",
        "controller_runtime_reconcile_time_seconds": "Duration of a pass.",
        "controller_runtime_reconcile_total": "Passes by outcome.",
        "imooc_cache_objects": "Objects in the cache.",
        "imooc_watch_age_seconds": (
            "Seconds since the API server last gave a sign of life on a watch."
        ),
        "imooc_watch_events_total": "Events taken from a watch since the start.",
        "imooc_watch_lists_total": "Full lists made for a watch since the start.",
        "leader_election_master_status": "1 while this process holds the lease.",
        "workqueue_adds_total": "Keys added, without those already waiting.",
        "workqueue_depth": "Keys waiting for a worker.",
        "workqueue_longest_running_processor_seconds": "Age of the oldest pass in flight.",
        "workqueue_queue_duration_seconds": "Time a key waits for a worker.",
        "workqueue_retries_total": "Keys added again after a failure.",
    }


def _text(world: World) -> str:
    return world.registry.exposition()
