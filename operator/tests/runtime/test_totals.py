"""Counts that are kept elsewhere, as metrics."""

import pytest

from imooc_operator.runtime.metrics import Registry


def test_a_total_is_a_counter_read_when_it_is_asked_for() -> None:
    registry, events = Registry(), {"a": 7, "b": 8}
    for name in events:

        def read(name: str = name) -> dict[tuple[str, ...], float]:
            return {(name,): events[name]}

        registry.total("t_total", "Counted elsewhere.", ("of",), read)
    events["a"] += 1
    assert registry.exposition().splitlines() == [
        "# HELP t_total Counted elsewhere.",
        "# TYPE t_total counter",
        't_total{of="a"} 8',
        't_total{of="b"} 8',
    ]


def test_a_total_is_no_gauge_and_keeps_its_labels() -> None:
    registry = Registry()
    registry.total("t", "Counted elsewhere.", (), lambda: {(): 1})
    with pytest.raises(ValueError, match="another type or labels"):
        registry.gauge("t", "A level.", (), lambda: {(): 1})
    with pytest.raises(ValueError, match="another type or labels"):
        registry.total("t", "Counted elsewhere.", ("of",), lambda: {("a",): 1})
