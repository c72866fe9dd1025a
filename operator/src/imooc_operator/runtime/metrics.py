"""Counters, gauges and histograms in the Prometheus text format.

Written here because the usual library costs 5 MB and needs threads; the format is a page long.
Invariant: a series exists from its first value on, and names are registered once.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

Labels = tuple[str, ...]

Read = Callable[[], Mapping[Labels, float]]
"""Returns the current value of each series of a gauge or total."""

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class _Metric(ABC):
    kind: str

    def __init__(self, name: str, text: str, labels: Labels) -> None:
        self.name = name
        self.text = text
        self.labels = labels

    @abstractmethod
    def samples(self) -> Iterator[str]:
        """Yield one line per series."""

    def series(self, values: Labels, suffix: str = "", **more: str) -> str:
        pairs = [*zip(self.labels, values, strict=True), *more.items()]
        inside = ",".join(f'{label}="{_escape(value)}"' for label, value in pairs)
        return f"{self.name}{suffix}{{{inside}}}" if inside else f"{self.name}{suffix}"


class Counter(_Metric):
    """A number that only grows."""

    kind = "counter"

    def __init__(self, name: str, text: str, labels: Labels) -> None:
        super().__init__(name, text, labels)
        self._values: dict[Labels, int] = {}

    def inc(self, *values: str) -> None:
        """Count one more for these label values."""
        self._values[values] = self._values.get(values, 0) + 1

    def samples(self) -> Iterator[str]:
        for values, count in self._values.items():
            yield f"{self.series(values)} {count}"


class Gauge(_Metric):
    """A number read when it is asked for."""

    kind = "gauge"

    def __init__(self, name: str, text: str, labels: Labels) -> None:
        super().__init__(name, text, labels)
        self.reads: list[Read] = []

    def samples(self) -> Iterator[str]:
        for read in self.reads:
            for values, number in read().items():
                yield f"{self.series(values)} {number:.10g}"


class Total(Gauge):
    """A count that is kept elsewhere, read when it is asked for."""

    kind = "counter"


class Histogram(_Metric):
    """How often a value fell below each bound."""

    kind = "histogram"

    def __init__(self, name: str, text: str, labels: Labels) -> None:
        super().__init__(name, text, labels)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, value: float, *values: str) -> None:
        """Count `value`, in seconds, for these label values."""
        counts = self._counts.setdefault(values, [0] * (len(BUCKETS) + 1))
        counts[bisect_left(BUCKETS, value)] += 1
        self._sums[values] = self._sums.get(values, 0.0) + value

    def samples(self) -> Iterator[str]:
        for values, counts in self._counts.items():
            total = 0
            for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                total += count
                yield f"{self.series(values, '_bucket', le=bound)} {total}"
            yield f"{self.series(values, '_sum')} {self._sums[values]:.10g}"
            yield f"{self.series(values, '_count')} {total}"


M = TypeVar("M", bound=_Metric)


class Registry:
    """All metrics of one process."""

    def __init__(self) -> None:
        self._metrics: dict[str, _Metric] = {}

    def __iter__(self) -> Iterator[_Metric]:
        """Yield every metric in the order of registration."""
        return iter(self._metrics.values())

    def counter(self, name: str, text: str, labels: Labels = ()) -> Counter:
        """Register a counter, or return the one of that name."""
        return self._register(Counter(name, text, labels))

    def histogram(self, name: str, text: str, labels: Labels = ()) -> Histogram:
        """Register a histogram of seconds, or return the one of that name."""
        return self._register(Histogram(name, text, labels))

    def gauge(self, name: str, text: str, labels: Labels, read: Read) -> None:
        """Register a gauge, or add the series that `read` returns to the one of that name."""
        self._register(Gauge(name, text, labels)).reads.append(read)

    def total(self, name: str, text: str, labels: Labels, read: Read) -> None:
        """Register a count kept elsewhere, or add the series that `read` returns to that name."""
        self._register(Total(name, text, labels)).reads.append(read)

    def exposition(self) -> str:
        """Return everything in the Prometheus text format."""
        lines: list[str] = []
        for metric in self:
            lines += [f"# HELP {metric.name} {metric.text}", f"# TYPE {metric.name} {metric.kind}"]
            lines += metric.samples()
        return "\n".join([*lines, ""])

    def _register(self, metric: M) -> M:
        known = self._metrics.setdefault(metric.name, metric)
        meanings = {(each.kind, each.labels) for each in (known, metric)}
        if not isinstance(known, type(metric)) or len(meanings) > 1:
            raise ValueError(f"metric {metric.name} is registered with another type or labels")
        return known


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
